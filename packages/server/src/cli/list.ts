import {
  type Client,
  Code,
  type FetchOptions,
  TidewireError,
  type TypedMap,
} from '@tidewire/client';
import { type Call, type Command, type Flags, wholeNumber, withClient } from './command.js';
import { Exit, type Io, UsageError } from './io.js';
import { Output } from './output.js';
import { openProgress, type Progress } from './progress.js';
import { FORMAT_NAMES, type FormatName, formatOf, type RowFormat } from './row-format.js';
import { predicateFrom } from './where.js';

const WIDTH_DEFAULT = 100;

export const list: Command = {
  name: 'list',
  usage:
    'list MAP [--where PREDICATE] [--order-by FIELD [--descending]] [--limit N] [--format json|jsonl|csv|table]',
  summary: 'print the records of a map as they stand',
  details: [
    'A line of jsonl, and an element of json, has the key and the value, digit for digit as stored, or "bytes"',
    'in base64: `load` without --key stores it again. csv and table have a column for each field of the first',
    '200 records; whatever lacks a column is counted on standard error.',
    "  --where       only records for which PREDICATE holds, like 'population > 1e6'",
    '  --order-by    by a field like address.city, $key or $stamp; records that lack it come first',
    '  --descending  largest first',
    '  --limit       at most N of them; with an order, and without this, as many as the server gives in one',
    '  --format      default: table on a terminal, else jsonl',
  ],
  operands: [1, 1],
  flags: ['where', 'order-by', 'descending', 'limit', 'format'],
  run: async ({ operands: [map], flags, url, token, io }: Call) => {
    const format = formatOf(formatName(flags, io), { width: io.stdout.columns ?? WIDTH_DEFAULT });
    const options = fetchOptionsOf(flags);
    return withClient({ url, token }, (client) => listMap({ client, map, options, format, io }));
  },
};

interface Listing {
  readonly client: Client;
  readonly map: string;
  readonly options: FetchOptions<unknown>;
  readonly format: RowFormat;
  readonly io: Io;
}

/** @throws UsageError for options that make no sense, alone or together. */
function fetchOptionsOf(flags: Flags): FetchOptions<unknown> {
  const { where, descending, limit } = flags;
  const orderBy = flags['order-by'];
  if (descending && orderBy === undefined) throw new UsageError('--descending needs --order-by');
  return {
    where: where === undefined ? undefined : predicateFrom(where),
    orderBy: orderBy === undefined ? undefined : checkedFieldName(orderBy),
    descending,
    limit: limit === undefined ? undefined : wholeNumber('limit', limit),
  };
}

function checkedFieldName(text: string): string {
  try {
    if (predicateFrom(`exists ${text}`).kind === 'exists') return text;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
  }
  throw new UsageError(`--order-by wants a field like population or address.city, not "${text}"`);
}

function formatName({ format }: Flags, io: Io): FormatName {
  if (format === undefined) return io.stdout.isTTY ? 'table' : 'jsonl';
  const known = FORMAT_NAMES.find((name) => name === format);
  if (known) return known;
  throw new UsageError(`--format is one of ${FORMAT_NAMES.join(', ')}, not "${format}"`);
}

async function listMap({ client, map, options, format, io }: Listing): Promise<Exit> {
  const output = new Output(io, () => client.close());
  const bounded = boundedBy(options, client.server.limits.queryRowsMax);
  const target = client.map(map);
  const progress = await progressFor(target, bounded, io);
  try {
    const rows = await writeRows(target.list(bounded), { format, output, progress });
    progress?.stop();
    if (rows === 0 && io.stdout.isTTY) note(io, 'no record to list');
    if (format.loss !== undefined) note(io, format.loss);
    if (options.limit === undefined && rows === bounded.limit)
      await tellRest(target, { ...options, limit: rows }, io);
  } catch (error) {
    const isClosed = error instanceof TidewireError && error.code === Code.UNAVAILABLE;
    if (!output.isStopped || !isClosed) throw error;
  } finally {
    progress?.stop();
  }
  return Exit.DONE;
}

/** An order wants a limit: without one it is the largest there is. */
function boundedBy(options: FetchOptions<unknown>, rowsMax: number): FetchOptions<unknown> {
  const needsLimit = options.orderBy !== undefined && options.limit === undefined;
  return needsLimit ? { ...options, limit: rowsMax } : options;
}

async function writeRows(
  rows: AsyncIterable<Parameters<RowFormat['row']>[0]>,
  {
    format,
    output,
    progress,
  }: { format: RowFormat; output: Output; progress: Progress | undefined },
): Promise<number> {
  let count = 0;
  for await (const entry of rows) {
    await output.write(format.row(entry));
    if (output.isStopped) return count;
    count++;
    progress?.update(count);
  }
  await output.write(format.end());
  return count;
}

/** A bar, where it disturbs no table. To know the whole costs another look at the map. */
async function progressFor(
  target: TypedMap<unknown>,
  { where, limit }: FetchOptions<unknown>,
  { stdout, stderr }: Io,
): Promise<Progress | undefined> {
  if (!stderr.isTTY || stdout.isTTY) return undefined;
  const matching = await target.count({ where });
  return openProgress(stderr, { total: Math.min(matching, limit ?? matching), verb: 'listing' });
}

/** Nothing is left out in silence, but what --limit has asked for. */
async function tellRest(
  target: TypedMap<unknown>,
  { where, limit: rows = 0 }: FetchOptions<unknown>,
  io: Io,
): Promise<void> {
  const matching = await target.count({ where });
  if (matching > rows)
    note(io, `${matching} records match; in an order the server gives no more than these at once`);
}

function note(io: Io, sentence: string): void {
  io.stderr.write(`tidewire: ${sentence}.\n`);
}
