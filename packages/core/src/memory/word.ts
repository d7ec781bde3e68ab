/** Reads a word that another thread writes. Acquire: what it wrote before is visible. */
export function loadWord(words: Int32Array, index: number): number {
  return Atomics.load(words, index);
}

/** Writes a word that other threads read. Release: what was written before is visible to them. */
export function storeWord(words: Int32Array, index: number, value: number): void {
  Atomics.store(words, index, value);
}
