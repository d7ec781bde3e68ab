import { type Client, connect, type EntryEvent, type TidewireError } from '@tidewire/client';
import type { Call, Command } from './command.js';
import { Exit, type Io } from './io.js';

export const watch: Command = {
  name: 'watch',
  usage: 'watch MAP [KEY]',
  summary: 'print every change of a map, or of one key, as a JSON line',
  details: [
    'A line has kind ("put" or "remove"), key, value, stamp, sequence and partition. A value that',
    'is not JSON is printed in base64 as "bytes" instead. Says "watching" on standard error once it',
    'is live, and goes on until interrupted; changes during a lost connection are not seen.',
  ],
  operands: [1, 2],
  flags: [],
  run: async ({ operands: [map, key], url, io }: Call) => {
    const client = await connect(url, {
      onState: (state) => {
        if (state === 'reconnecting') note(io, 'the connection is lost, trying again');
      },
    });
    try {
      await watched(client, { map, key }, io);
    } finally {
      client.close();
    }
    return Exit.DONE;
  },
};

/** Resolves when the user stops it, rejects when the server ends it. */
async function watched(
  client: Client,
  { map, key }: { map: string; key: string | undefined },
  io: Io,
): Promise<void> {
  let stop = (): void => {};
  let fail = (_: TidewireError): void => {};
  const end = new Promise<void>((resolve, reject) => {
    stop = resolve;
    fail = reject;
  });
  io.onStop(() => stop());
  await client.map(map).subscribe((event) => io.stdout.write(`${eventLine(event)}\n`), {
    ...(key === undefined ? {} : { key }),
    onGap: () => note(io, 'connected again; changes in between were not seen'),
    onEnd: (error) => fail(error),
  });
  note(io, `watching ${key === undefined ? `map "${map}"` : `key "${key}" of map "${map}"`}`);
  await end;
}

/** One line; JSON values stand in it as they are stored, digit for digit. */
function eventLine(event: EntryEvent<unknown>): string {
  const { kind, key, stamp, sequence, partition } = event;
  const head = JSON.stringify({ kind, key }).slice(0, -1);
  const tail = JSON.stringify({ stamp, sequence, partition }).slice(1);
  return `${head}${valueField(event)},${tail}`;
}

function valueField(event: EntryEvent<unknown>): string {
  if (event.kind === 'remove') return '';
  const json = event.storedAs === 'json' ? jsonText(event) : undefined;
  if (json !== undefined) return `,"value":${json}`;
  return `,"bytes":"${Buffer.from(event.bytes).toString('base64')}"`;
}

/** Line ends in valid JSON are white space: a string cannot contain any. */
function jsonText(event: EntryEvent<unknown>): string | undefined {
  try {
    void event.value;
  } catch {
    return undefined;
  }
  return Buffer.from(event.bytes)
    .toString('utf8')
    .replace(/[\r\n]/g, ' ');
}

function note(io: Io, sentence: string): void {
  io.stderr.write(`tidewire: ${sentence}\n`);
}
