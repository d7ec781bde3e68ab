/** Where the round over all partitions of a worker stands, in which they are handed over. */
export class PartitionRound {
  readonly #partitions: readonly number[];
  /**
   * Sequences of the partition that earlier pulls have handed over: a segment larger than what a pull may
   * take is visited from its beginning again, and would never come to its end.
   */
  readonly handedOver: Set<number> = new Set();
  #next = 0;
  /** Sequence of the partition when its turn began; 0: it begins. */
  #goal = 0;
  /** CHANGES when the round began, and the partitions that it has not done. */
  #from = 0;
  #left = 0;
  #changesWhole = 0;

  constructor(partitions: readonly number[]) {
    this.#partitions = partitions;
  }

  /** The one whose turn it is. */
  get partition(): number {
    return this.#partitions[this.#next];
  }

  /** Of CHANGES, the first so many are all handed over. */
  get changesWhole(): number {
    return this.#changesWhole;
  }

  /**
   * How far the partition is handed over in its turn, given its present sequence. What is written since its
   * turn began waits for the next, or one that is written fast enough would keep all others waiting.
   */
  goalAt(sequence: number): number {
    if (this.#goal === 0) this.#goal = sequence;
    return this.#goal;
  }

  /** The partition is done; the next one's turn begins. */
  advance(changes: number): void {
    this.#goal = 0;
    this.handedOver.clear();
    this.#next = (this.#next + 1) % this.#partitions.length;
    if (--this.#left === 0) this.restart(changes, this.#from);
  }

  /** Begins a round. `changesWhole`: what is known to be handed over, or in the database. */
  restart(changes: number, changesWhole: number): void {
    this.#goal = 0;
    this.handedOver.clear();
    this.#changesWhole = changesWhole;
    this.#from = changes;
    this.#left = this.#partitions.length;
  }
}
