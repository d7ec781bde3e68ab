import type { Entry } from '@tidewire/client';

/** Records looked at before the columns are settled. */
const SAMPLE_RECORDS = 200;
const KEY = 'key';
const VALUE = 'value';

/** Cells by column, as text. */
export type Cells = ReadonlyMap<string, string>;

/** Writes records as rows of cells, under columns that the first records have settled. */
export class ColumnFormat {
  readonly #begin: (columns: readonly string[], sample: readonly Cells[]) => string;
  readonly #line: (cells: readonly string[]) => string;
  #sample: Cells[] = [];
  #columns: readonly string[] | undefined;
  #leftOut = 0;

  constructor(options: {
    /** The header; sees the first records. */
    readonly begin: (columns: readonly string[], sample: readonly Cells[]) => string;
    readonly line: (cells: readonly string[]) => string;
  }) {
    this.#begin = options.begin;
    this.#line = options.line;
  }

  row(entry: Entry<unknown>): string {
    const cells = cellsOf(entry);
    if (this.#columns !== undefined) return this.#rowOf(cells, this.#columns);
    this.#sample.push(cells);
    return this.#sample.length < SAMPLE_RECORDS ? '' : this.#settle();
  }

  end(): string {
    return this.#columns === undefined && this.#sample.length > 0 ? this.#settle() : '';
  }

  get loss(): string | undefined {
    if (this.#leftOut === 0) return undefined;
    return `${this.#leftOut} records have fields for which there is no column; jsonl has them all`;
  }

  #settle(): string {
    const sample = this.#sample;
    const columns = [...new Set([KEY, ...sample.flatMap((cells) => [...cells.keys()])])];
    this.#columns = columns;
    this.#sample = [];
    const header = this.#begin(columns, sample);
    return header + sample.map((cells) => this.#rowOf(cells, columns)).join('');
  }

  #rowOf(cells: Cells, columns: readonly string[]): string {
    if ([...cells.keys()].some((column) => !columns.includes(column))) this.#leftOut++;
    return this.#line(columns.map((column) => cells.get(column) ?? ''));
  }
}

/** The key, and a cell for each field of an object; a member called like the key goes as `value.key`. */
function cellsOf(entry: Entry<unknown>): Cells {
  const value = shownValue(entry);
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  const members = isObject ? Object.entries(value) : [[VALUE, value] as const];
  const cells = new Map([[KEY, entry.key]]);
  for (const [name, member] of members)
    cells.set(name === KEY ? `${VALUE}.${KEY}` : name, cellText(member));
  return cells;
}

/** What is no JSON is shown in base64. */
function shownValue(entry: Entry<unknown>): unknown {
  const base64 = (): string => Buffer.from(entry.bytes).toString('base64');
  if (entry.storedAs !== 'json') return base64();
  try {
    return entry.value;
  } catch {
    return base64();
  }
}

function cellText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
