import { askAdmin } from './admin.js';
import type { Call, Command } from './command.js';
import { Exit } from './io.js';

/** What `/maps` tells. */
interface Told {
  readonly maps?: readonly {
    readonly map: string;
    readonly records: number;
    readonly bytes: number;
    readonly subscriptions: {
      readonly map: number;
      readonly key: number;
      readonly predicate: number;
    };
  }[];
  readonly hottest?: readonly {
    readonly map: string;
    readonly key: string;
    readonly share: number;
  }[];
  readonly lagging?: readonly {
    readonly connection: number;
    readonly subscriptions: number;
    readonly unsentBytes: number;
  }[];
}

type Row = readonly (string | number)[];

export const maps: Command = {
  name: 'maps',
  usage: 'maps [--admin URL]',
  summary: 'print what is in each map, what is asked for most, and whose subscriptions lag',
  details: [
    'Three tables: maps with their records, the bytes of these and subscriptions (of the whole map, of',
    'keys, of predicates); the keys asked for most lately, in percent of all operations, by a sample;',
    'and connections that read their subscriptions too slowly. The server counts when it is asked.',
    'Asks the port for operators: --admin, else TIDEWIRE_ADMIN_URL, else the one after that of --url.',
  ],
  operands: [0, 0],
  flags: ['admin'],
  run: async ({ url, io, flags: { admin } }: Call) => {
    const told: Told = await askAdmin('/maps', { admin, url, io });
    const tables = [mapTable(told), hotTable(told), lagTable(told)].filter(
      ({ length }) => length > 1,
    );
    io.stdout.write(tables.map(textOf).join('\n'));
    return Exit.DONE;
  },
};

function mapTable({ maps: all = [] }: Told): Row[] {
  const rows = all.map(({ map, records, bytes, subscriptions: { map: whole, key, predicate } }) => [
    nameOf(map),
    records,
    bytes,
    whole,
    key,
    predicate,
  ]);
  return [['map', 'records', 'bytes', 'of map', 'of keys', 'of predicates'], ...rows];
}

function hotTable({ hottest = [] }: Told): Row[] {
  const rows = hottest.map(({ map, key, share }) => [
    `${(100 * share).toFixed(1)} %`,
    nameOf(map),
    nameOf(key),
  ]);
  return [['hottest', 'map', 'key'], ...rows];
}

function lagTable({ lagging = [] }: Told): Row[] {
  const rows = lagging.map(({ connection, subscriptions, unsentBytes }) => [
    connection,
    subscriptions,
    unsentBytes,
  ]);
  return [['lagging connection', 'subscriptions', 'unsent bytes'], ...rows];
}

function textOf(rows: readonly Row[]): string {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => String(row[i]).length)));
  const lineOf = (row: Row): string =>
    row
      .map((cell, i) => String(cell).padEnd(widths[i]))
      .join('  ')
      .trimEnd();
  return rows.map((row) => `${lineOf(row)}\n`).join('');
}

/** On one line, whatever is in it. */
function nameOf(text: string): string {
  return /^[^\p{C}\s]+$/u.test(text) ? text : JSON.stringify(text);
}
