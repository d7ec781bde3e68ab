/** What a pull has handed over so far. */
export interface Pull {
  readonly number: number;
  recordsLeft: number;
  /** Of those, what SAFE references may take: the rest is for partitions, however long the lane. */
  laneLeft: number;
  wordsLeft: number;
  /** Records handed over in the running slice. */
  sliceLeft: number;
  /** Words of a record that found no room: the slice ends, the next takes the same step again. */
  blockedWords: number;
  /** Partition → sequences in this batch: each image is copied once, however often rewritten. */
  readonly taken: Map<number, Set<number>>;
  /** Partition → sequence up to which the batch completes it. */
  readonly marks: Map<number, number>;
  /** Partitions not yet looked at in this pull. */
  partitionsLeft: number;
}

export function isFull(pull: Pull): boolean {
  return pull.recordsLeft <= 0 || pull.wordsLeft <= 0;
}

export function isBlocked(pull: Pull): boolean {
  return pull.blockedWords > 0;
}

/** Time to end the slice. */
export function isEnough(pull: Pull): boolean {
  return isBlocked(pull) || pull.sliceLeft <= 0 || isFull(pull);
}
