const number = new Float64Array(1);
const bits = new BigInt64Array(number.buffer);

/** The smallest number above a finite one or −∞. */
export function numberAbove(value: number): number {
  if (value === 0) return Number.MIN_VALUE; // −0 too
  number[0] = value;
  bits[0] += value > 0 ? 1n : -1n; // the sign stands apart: bits count the distance from 0
  return number[0];
}

/** The largest number below a finite one or ∞. */
export function numberBelow(value: number): number {
  return -numberAbove(-value);
}
