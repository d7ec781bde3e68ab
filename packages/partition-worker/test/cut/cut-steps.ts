/**
 * What the stores of a cut build call (see cut-build.ts). Each store into shared memory is a step; the
 * thread can be made to die before any of them. A dead thread stores nothing any more until `revive`.
 */
export class Cut extends Error {
  override name = 'Cut';
}

const NEVER = -1;
let dieAt = NEVER;
let taken = 0;

/** Dies before the store number `step`, counted from 0 and from now. */
export function cutAt(step: number): void {
  dieAt = step;
  taken = 0;
}

export function revive(): void {
  cutAt(NEVER);
}

/** Stores since the last `cutAt` or `revive`. */
export function stepsTaken(): number {
  return taken;
}

/** Runs `action`; true if it died on the way. */
export function diesIn(action: () => void): boolean {
  try {
    action();
    return false;
  } catch (error) {
    if (error instanceof Cut) return true;
    throw error;
  }
}

type Words = Int32Array | Uint8Array;

export function store(words: Words, index: number, value: number): number {
  step();
  words[index] = value;
  return value;
}

export function update(words: Words, index: number, change: (value: number) => number): number {
  return store(words, index, change(words[index]));
}

/** A bulk copy is two steps: a death may find it half done. */
export function set(words: Words, source: Words, index = 0): void {
  step();
  words.set(source.subarray(0, source.length >> 1), index);
  step();
  words.set(source, index);
}

export function fill(words: Words, value: number, start = 0, end: number = words.length): void {
  step();
  words.fill(value, start, (start + end) >> 1);
  step();
  words.fill(value, start, end);
}

export function copyWithin(words: Words, target: number, start: number, end: number): void {
  step();
  const copy = words.slice(start, end);
  words.set(copy.subarray(0, copy.length >> 1), target);
  step();
  words.set(copy, target);
}

export function atomicStore(words: Int32Array, index: number, value: number): number {
  step();
  return Atomics.store(words, index, value);
}

export function atomicAdd(words: Int32Array, index: number, value: number): number {
  step();
  return Atomics.add(words, index, value);
}

export function atomicExchange(words: Int32Array, index: number, value: number): number {
  step();
  return Atomics.exchange(words, index, value);
}

export function atomicCompareExchange(
  words: Int32Array,
  index: number,
  expected: number,
  value: number,
): number {
  step();
  return Atomics.compareExchange(words, index, expected, value);
}

function step(): void {
  if (dieAt !== NEVER && taken >= dieAt) throw new Cut(`at store ${dieAt}`);
  taken++;
}
