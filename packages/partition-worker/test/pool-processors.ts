import type {
  Change,
  GroupContext,
  ProcessedRecord,
  ProcessorContext,
} from '#lib/execute/processor.js';

/** Processors for tests: good ones, and ones that end their worker. */

export function setTo(_: unknown, argument: unknown): Change {
  return { put: argument };
}

export function double(record: ProcessedRecord | undefined): Change {
  return typeof record?.value === 'number' ? { put: record.value * 2 } : undefined;
}

export function drop(): Change {
  return { remove: true };
}

export function tell(_: unknown, argument: unknown, context: ProcessorContext): Change {
  return { put: { argument, ...context } };
}

export function keepFor(record: ProcessedRecord | undefined, ttlMs: unknown): Change {
  return { put: record?.value ?? 0, ttlMs: ttlMs as number };
}

type Account = { readonly value: { readonly balance: number } } | undefined;

/** Moves an amount from the first record to the second. */
export function transfer([from, to]: readonly Account[], amount: unknown): readonly Change[] {
  const left = balanceOf(from) - (amount as number);
  if (left < 0) throw new RangeError(`${balanceOf(from)} is less than ${amount}`);
  return [{ put: { balance: left } }, { put: { balance: balanceOf(to) + (amount as number) } }];
}

function balanceOf(account: Account): number {
  return account?.value.balance ?? 0;
}

/** Gives every record the argument, and its place in the group. */
export function number(
  records: readonly unknown[],
  argument: unknown,
  { keys }: GroupContext,
): readonly Change[] {
  return records.map((_, i) => ({ put: { argument, i, key: keys[i] } }));
}

export function tooFew(): readonly Change[] {
  return [{ remove: true }];
}

export function refuse(record: ProcessedRecord | undefined, why: unknown): Change {
  throw new RangeError(`${String(why)} ${String(record?.value)}`);
}

export function dawdle(): Change {
  const end = performance.now() + 120;
  while (performance.now() < end);
  return { put: 'late' };
}

export function useless(): Change {
  return { put: undefined };
}

export function huge(): Change {
  return { put: 'x'.repeat(40_000) };
}

// Faults: they end the worker that runs them, every time.

export function exit(): Change {
  return process.exit(3);
}

export function loop(): Change {
  for (;;);
}

export function exhaust(): Change {
  const hoard: number[][] = [];
  for (;;) hoard.push(Array.from({ length: 100_000 }, (_, i) => i + 0.5));
}

/** Ends it when the processor's run is over, and its change is read. */
export function collapse(): Change {
  return Object.defineProperty({ put: 0 }, 'put', { get: () => process.exit(4) });
}
