/** The same numbers in an array of twice the length, zeros behind. */
export function doubled<T extends Int32Array | Float64Array | Uint8Array>(numbers: T): T {
  const grown = new (numbers.constructor as new (length: number) => T)(2 * numbers.length);
  grown.set(numbers);
  return grown;
}
