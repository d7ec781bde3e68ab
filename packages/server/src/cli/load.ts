import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import type { Client } from '@tidewire/client';
import { type Call, type Command, withClient } from './command.js';
import { Exit, FailedError, type Io, UsageError } from './io.js';
import { Loader } from './loader.js';
import { openProgress } from './progress.js';
import { openRecordFile, type RecordFile } from './record-file.js';

export const load: Command = {
  name: 'load',
  usage: 'load FILE --map MAP [--key FIELD] [--safe]',
  summary: 'store every record of a file',
  details: [
    'FILE is JSON lines (.jsonl, .ndjson), a JSON array (.json) or CSV with a header (.csv); without',
    'such an ending its first character tells. FIELD of each record is its key. A JSON line is',
    'stored as it stands, bit for bit; records of an array or of CSV as JSON without white space.',
    'Without --key the file is what list has written, JSON lines or an array: objects of "key" and "value".',
    'Records that cannot be stored are named with their line, counted, and make the exit code 1.',
    '  --safe   wait for the database with every record',
  ],
  operands: [1, 1],
  flags: ['safe', 'map', 'key'],
  run: async ({ operands: [path], flags, url, token, io }: Call) => {
    const { map, key, safe = false } = flags;
    if (map === undefined) throw new UsageError('load needs --map MAP');
    const file = await openRecordFile(path, key);
    try {
      return await withClient({ url, token }, (client) =>
        loadFile(file, { client, map, safe, io }),
      );
    } finally {
      await file.close();
    }
  },
};

interface Target {
  readonly client: Client;
  readonly map: string;
  readonly safe: boolean;
  readonly io: Io;
}

/** Whatever ends it, what was under way is waited for and the summary tells of it. */
async function loadFile(file: RecordFile, { client, map, safe, io }: Target): Promise<Exit> {
  const progress = openProgress(io.stderr, { total: file.bytes, verb: 'loading' });
  const loader = new Loader({
    map: client.map(map),
    client,
    safe,
    nowMs: () => performance.now(),
    pause: (ms) => setTimeout(ms),
    report: (line, reason) => progress.note(`${file.path}:${line}: ${reason}`),
  });
  const startedMs = performance.now();
  try {
    for await (const readings of file.readings()) {
      await loader.addAll(readings);
      if (loader.loss) break;
      progress.update(file.bytesRead);
    }
  } finally {
    await loader.settled();
    progress.stop();
    io.stdout.write(`${summaryOf(loader, performance.now() - startedMs)}\n`);
  }
  if (loader.loss)
    throw new FailedError(
      `the server was lost before the end of the file (${loader.loss.detail}); load it again`,
    );
  return loader.refused === 0 ? Exit.DONE : Exit.REFUSED;
}

function summaryOf({ stored, superseded, refused }: Loader, elapsedMs: number): string {
  const seconds = Math.max(elapsedMs, 1) / 1000;
  const rate = Math.round(stored / seconds);
  const older = superseded === 0 ? '' : `, ${superseded} of them older than what stands`;
  return `loaded ${stored} records in ${seconds.toFixed(1)} s (${rate}/s), ${refused} refused${older}`;
}
