import { join } from 'node:path';
import {
  type DatabaseConnection,
  type DeadLetter,
  DeadLetters,
  runningEmbedded,
  StoreError,
} from '@tidewire/persistence';
import type { Call, Command, Flags } from './command.js';
import { Exit, FailedError, type Io } from './io.js';
import { Output } from './output.js';
import { valueMember } from './stored-json.js';

const DATA_DIR_DEFAULT = '.tidewire';
const KIND_BITS = 31;
const JSON_KIND = 1;

export const deadLetters: Command = {
  name: 'dead-letters',
  usage: 'dead-letters [--requeue] [--map MAP [--key KEY]] [--database-url URL | --data-dir DIR]',
  summary: 'print the records that the database refuses, or write them again',
  details: [
    'A line of JSON each: map, key, stamp, value or "bytes" in base64 or "removed", when it was refused and',
    'why; "superseded" where the table has a newer record by now. The server goes on with all of them.',
    '  --requeue       write them into the table; one that is refused again stays, and the exit code is 1',
    '  --map, --key    only those of a map, or one of them',
    '  --database-url  the server’s database; default: environment DATABASE_URL, else the embedded one',
    '  --data-dir      the folder of a running server with the embedded one (default .tidewire)',
  ],
  operands: [0, 0],
  flags: ['requeue', 'map', 'key', 'database-url', 'data-dir'],
  run: async ({ flags, io }: Call) => {
    const letters = new DeadLetters(await connectionOf(flags, io));
    try {
      return await (flags.requeue === true ? requeueAll : printAll)(letters, flags, io);
    } catch (error) {
      if (error instanceof StoreError) throw new FailedError(error.message);
      throw error;
    } finally {
      await letters.close();
    }
  },
};

async function connectionOf(flags: Flags, { env }: Io): Promise<DatabaseConnection> {
  const named = flags['data-dir'] === undefined ? env['DATABASE_URL'] : undefined;
  const url = flags['database-url'] ?? named;
  if (url !== undefined && url !== '') return { url };
  const dataDir = flags['data-dir'] ?? env['TIDEWIRE_DATA_DIR'] ?? DATA_DIR_DEFAULT;
  const connection = await runningEmbedded(join(dataDir, 'postgres'));
  if (connection !== undefined) return connection;
  throw new FailedError(
    `No database runs on ${dataDir}; start the server, or name its database with --database-url`,
  );
}

async function printAll(letters: DeadLetters, flags: Flags, io: Io): Promise<Exit> {
  const output = new Output(io, () => {});
  let count = 0;
  for await (const letter of letters.read(filterOf(flags))) {
    if (output.isStopped) break;
    await output.write(`${lineOf(letter)}\n`);
    count++;
  }
  if (count === 0) io.stderr.write('There are no dead letters.\n');
  return Exit.DONE;
}

/** A sentence for each on standard error, for nothing but them is of interest. */
async function requeueAll(letters: DeadLetters, flags: Flags, io: Io): Promise<Exit> {
  const sentences = {
    WRITTEN: 'is in the table',
    SUPERSEDED: 'is of no use any more: the table has a newer record',
    GONE: 'is gone: somebody else has written it',
  } as const;
  let exit: Exit = Exit.DONE;
  let count = 0;
  for await (const letter of letters.read(filterOf(flags))) {
    const sentence = await letters.requeue(letter).then(
      (outcome) => sentences[outcome],
      (error: unknown) => {
        if (!(error instanceof StoreError) || error.kind !== 'REJECTED') throw error;
        exit = Exit.REFUSED;
        return `stays: ${error.message.replace(/\.$/, '')}`;
      },
    );
    count++;
    io.stderr.write(`"${letter.key}" of map "${letter.map}" ${sentence}.\n`);
  }
  if (count === 0) io.stderr.write('There are no dead letters.\n');
  return exit;
}

function filterOf({ map, key }: Flags): { map?: string; key?: string } {
  return { ...(map !== undefined && { map }), ...(key !== undefined && { key }) };
}

function lineOf(letter: DeadLetter): string {
  const { map, key, ms, counter, node, refusedAt, reason, isSuperseded } = letter;
  const head = JSON.stringify({ map, key, stamp: { ms, counter, node } }).slice(0, -1);
  const tail = JSON.stringify({ refusedAt, reason, superseded: isSuperseded || undefined }).slice(
    1,
  );
  return `${head},${contentOf(letter)},${tail}`;
}

function contentOf({ deleted, kind, value }: DeadLetter): string {
  if (deleted) return '"removed":true';
  return valueMember(value, (kind & KIND_BITS) === JSON_KIND ? 'json' : 'bytes');
}
