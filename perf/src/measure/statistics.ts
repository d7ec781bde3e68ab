/** The middle value, or the mean of the two middle ones. NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export type Side = 'ours' | 'theirs';

/**
 * The order of a run of `rounds` pairs: A B, B A, A B, … so that a machine that grows slower or
 * faster meanwhile favours neither side.
 */
export function interleaved(rounds: number): Side[] {
  return Array.from({ length: rounds }, (_, round): Side[] =>
    round % 2 === 0 ? ['ours', 'theirs'] : ['theirs', 'ours'],
  ).flat();
}
