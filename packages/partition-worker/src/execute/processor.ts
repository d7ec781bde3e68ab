/** A record as a processor sees it. */
export interface ProcessedRecord {
  /** Parsed JSON, or the bytes themselves; the processor's own copy. */
  readonly value: unknown;
  /** Milliseconds since 1970 of its stamp. */
  readonly stampMs: number;
  /** Milliseconds since 1970; 0: never. */
  readonly expiresAtMs: number;
}

export interface ProcessorContext {
  readonly key: string;
  /** The operation's time, milliseconds since 1970: the only clock that a processor has. */
  readonly nowMs: number;
}

/** What becomes of the record; undefined: it stays as it is. */
export type Change =
  | undefined
  /** A lifetime in milliseconds; without it the record keeps the one it has. */
  | { readonly put: unknown; readonly ttlMs?: number }
  | { readonly remove: true };

/**
 * Decides what becomes of one record, or of a key that has none, in the worker that owns it. It must
 * be a pure function: it may run again after a worker's death, and while it runs the worker does
 * nothing else. What it throws is the operation's answer, and changes nothing.
 */
export type Processor = (
  record: ProcessedRecord | undefined,
  argument: unknown,
  context: ProcessorContext,
) => Change;

export interface GroupContext {
  /** Keys of the records, in the order in which they were named. */
  readonly keys: readonly string[];
  /** As of a ProcessorContext. */
  readonly nowMs: number;
}

/**
 * As a Processor, for several records of one partition, of whatever maps: decides what becomes of each,
 * in their order, or undefined: all stay as they are. All of it happens in memory or nothing;
 * the database gets the records one by one, so a process that dies may leave a part of it there.
 */
export type GroupProcessor = (
  records: readonly (ProcessedRecord | undefined)[],
  argument: unknown,
  context: GroupContext,
) => readonly Change[] | undefined;

/** A processor under the name by which operations ask for it. */
export interface NamedProcessor {
  readonly name: string;
  /** A Processor or a GroupProcessor: whoever names it knows. */
  readonly run: (given: unknown, argument: unknown, context: unknown) => unknown;
}

/**
 * The functions that the module exports, by name, in the order that all threads number them by.
 * `url`: of an ES module.
 */
export async function loadProcessors(url: string): Promise<NamedProcessor[]> {
  const module = (await import(url)) as Readonly<Record<string, unknown>>;
  return Object.keys(module)
    .filter((name) => typeof module[name] === 'function')
    .sort()
    .map((name) => ({ name, run: module[name] as NamedProcessor['run'] }));
}
