import { writeFileSync } from 'node:fs';
import type { Change, ProcessedRecord } from '@tidewire/partition-worker';

/** Ways in which a processor can end its worker. */
export const FAULTS = ['exit', 'throw', 'loop', 'exhaust'] as const;
export type Fault = (typeof FAULTS)[number];

export interface FaultArgument {
  readonly fault: Fault;
  /** The file that says that it has happened. */
  readonly file: string;
  /** `throw`: stores into shared memory that go well before. */
  readonly stores: number;
}

/** Ends the worker at the first run; at the second it counts, as if nothing had been. */
export function countAfterFault(record: ProcessedRecord | undefined, argument: unknown): Change {
  const { fault, file, stores } = argument as FaultArgument;
  if (isFirst(file)) bringAbout(fault, stores);
  return { put: ((record?.value as number | undefined) ?? 0) + 1 };
}

/** The same for a group of two: moves one from the first record to the second. */
export function moveAfterFault(
  [from, to]: readonly (ProcessedRecord | undefined)[],
  argument: unknown,
): readonly Change[] {
  const { fault, file, stores } = argument as FaultArgument;
  if (isFirst(file)) bringAbout(fault, stores);
  return move([from, to]);
}

export function move([from, to]: readonly (ProcessedRecord | undefined)[]): readonly Change[] {
  const numberOf = (record: ProcessedRecord | undefined): number => Number(record?.value ?? 0);
  return [{ put: numberOf(from) - 1 }, { put: numberOf(to) + 1 }];
}

function isFirst(file: string): boolean {
  try {
    writeFileSync(file, '', { flag: 'wx' });
    return true;
  } catch {
    return false;
  }
}

function bringAbout(fault: Fault, stores: number): void {
  const hoard: number[][] = [];
  switch (fault) {
    case 'exit':
      process.exit(3);
      break;
    case 'throw':
      throwAtStore(stores);
      break;
    case 'loop':
      for (;;);
    case 'exhaust':
      for (;;) hoard.push(Array.from({ length: 100_000 }, (_, i) => i + 0.5));
  }
}

type Store = (words: Int32Array, index: number, value: number) => number;
const store = Atomics.store as Store;

/** The thread's stores that others see: of a record, of an answer, of a ring's positions. */
function throwAtStore(stores: number): void {
  let left = stores;
  const failing: Store = (words, index, value) => {
    if (left-- > 0) return store(words, index, value);
    Object.assign(Atomics, { store }); // once; the thread may be used again
    throw new Error('a store that was to fail');
  };
  Object.assign(Atomics, { store: failing });
}
