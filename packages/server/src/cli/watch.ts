import {
  type Client,
  connect,
  type EntryEvent,
  type From,
  type QueryEvent,
  type SubscribeOptions,
  type TidewireError,
} from '@tidewire/client';
import { type Call, type Command, type Flags, wholeNumber } from './command.js';
import { Exit, type Io, UsageError } from './io.js';
import { valueMember } from './stored-json.js';
import { predicateFrom } from './where.js';

export const watch: Command = {
  name: 'watch',
  usage: 'watch MAP [KEY] [--where PREDICATE] [--from now|snapshot] [--old] [--max-hz N]',
  summary: 'print every change of a map, of one key, or of what a predicate finds, as a JSON line',
  details: [
    'A line has kind, key, value, stamp, sequence and partition. Kind is "put" or "remove"; with --where',
    '"enter", "update" or "leave". A value that is not JSON is printed in base64 as "bytes" instead. Says',
    '"watching" on standard error once it hears changes, and goes on until interrupted. After a lost',
    'connection it goes on where it was: of a key that changed meanwhile the latest state is printed; what could not',
    'be made up for is told. What was then found to be gone has neither stamp nor sequence.',
    '  --where      only records for which PREDICATE holds, like \'population > 1e6 and country = "DE"\'',
    '  --from       now (the default): changes only; snapshot: first everything as it stands',
    '  --old        with --where: the value before, if it matched, too, as "previous"',
    '  --max-hz     at most N times a second, the latest state of each key',
  ],
  operands: [1, 2],
  flags: ['where', 'from', 'old', 'max-hz'],
  run: async ({ operands: [map, key], flags, url, token, io }: Call) => {
    const watched = watchedOf(map, key, flags);
    const client = await connect(url, {
      token,
      onState: (state) => {
        if (state === 'reconnecting') note(io, 'the connection is lost, trying again');
      },
    });
    try {
      await watchUntilEnd(client, watched, io);
    } finally {
      client.close();
    }
    return Exit.DONE;
  },
};

interface Watched {
  readonly map: string;
  readonly key: string | undefined;
  readonly where: ReturnType<typeof predicateFrom> | undefined;
  readonly withOld: boolean;
  readonly options: Pick<SubscribeOptions, 'from' | 'maxHz'>;
}

/** @throws UsageError for options that make no sense, alone or together. */
function watchedOf(map: string, key: string | undefined, flags: Flags): Watched {
  const { where, from = 'now', old = false } = flags;
  if (key !== undefined && where !== undefined)
    throw new UsageError('watch one KEY or what --where finds, not both');
  if (old && where === undefined) throw new UsageError('--old needs --where');
  if (!isFrom(from)) throw new UsageError(`--from is now or snapshot, not "${from}"`);
  const maxHz = flags['max-hz'];
  return {
    map,
    key,
    where: where === undefined ? undefined : predicateFrom(where),
    withOld: old,
    options: { from, ...(maxHz === undefined ? {} : { maxHz: wholeNumber('max-hz', maxHz) }) },
  };
}

function isFrom(text: string): text is From {
  return text === 'now' || text === 'snapshot';
}

/** Resolves when the user stops it, rejects when the server ends it. */
async function watchUntilEnd(client: Client, watched: Watched, io: Io): Promise<void> {
  let stop = (): void => {};
  let fail = (_: TidewireError): void => {};
  const end = new Promise<void>((resolve, reject) => {
    stop = resolve;
    fail = reject;
  });
  io.onStop(() => stop());
  let isFirst = true;
  await subscribe(client, watched, {
    ...watched.options,
    print: printer(client, io),
    onReady: () => {
      note(io, isFirst ? `watching ${nameOf(watched)}` : 'nothing is missing any more');
      isFirst = false;
    },
    onGap: (reason) => note(io, `${reason} What stands now is printed instead.`),
    onLag: (isLagging) => {
      if (isLagging) note(io, 'this reads too slowly; changes wait');
    },
    onEnd: (error) => fail(error),
  });
  await end;
}

/** Prints lines; while nobody takes them nothing more is read from the server, where changes wait. */
function printer(client: Client, { stdout }: Io): (line: string) => void {
  let isPaused = false;
  return (line) => {
    if (stdout.write(`${line}\n`) || isPaused) return;
    isPaused = true;
    client.pause();
    stdout.once('drain', () => {
      isPaused = false;
      client.resume();
    });
  };
}

function subscribe(
  client: Client,
  { map, key, where, withOld }: Watched,
  { print, ...options }: SubscribeOptions & { readonly print: (line: string) => void },
): Promise<unknown> {
  const target = client.map(map);
  if (where !== undefined)
    return target.query(where, (event) => print(eventLine(event)), { ...options, withOld });
  const only = key === undefined ? {} : { key };
  return target.subscribe((event) => print(eventLine(event)), { ...options, ...only });
}

function nameOf({ map, key, where }: Watched): string {
  if (key !== undefined) return `key "${key}" of map "${map}"`;
  return where === undefined ? `map "${map}"` : `what the predicate finds in map "${map}"`;
}

type WatchedEvent = EntryEvent<unknown> | QueryEvent<unknown>;

/** One line; JSON values stand in it as they are stored, digit for digit. */
function eventLine(event: WatchedEvent): string {
  const { kind, key, stamp, sequence, partition } = event;
  const known = sequence === 0 ? { partition } : { stamp, sequence, partition };
  const members = [JSON.stringify({ kind, key }).slice(1, -1)];
  if (event.storedAs !== 'none') members.push(valueMember(event.bytes, event.storedAs));
  if ('previousBytes' in event && event.previousStoredAs !== 'none')
    members.push(valueMember(event.previousBytes, event.previousStoredAs, PREVIOUS));
  members.push(JSON.stringify(known).slice(1, -1));
  return `{${members.join(',')}}`;
}

const PREVIOUS = { json: 'previous', bytes: 'previousBytes' } as const;

function note(io: Io, sentence: string): void {
  io.stderr.write(`tidewire: ${sentence}\n`);
}
