const LOW_RANGE = 0x1_0000_0000;

/**
 * A 48-bit number in two words (low, high) that one thread raises and others read.
 * The writer stores low before high and a reader loads high before low, so a value read while it
 * crosses a 32-bit carry is too low, never too high: "done up to here" stays true.
 */
export function storeWatermark(words: Int32Array, index: number, value: number): void {
  Atomics.store(words, index, value | 0);
  Atomics.store(words, index + 1, Math.floor(value / LOW_RANGE));
}

export function loadWatermark(words: Int32Array, index: number): number {
  const high = Atomics.load(words, index + 1);
  return high * LOW_RANGE + (Atomics.load(words, index) >>> 0);
}
