/** Something that a gateway has asked for and that is sent piece by piece, see Streams. */
export interface Stream {
  readonly id: number;
  /** Bytes that it may send. It may exceed them by one record. */
  credit: number;
  /** Bytes of the rows that it keeps until they are sent. */
  readonly heldBytes: number;
  /** Does a bounded piece of work and says at most one ring record. True: it has ended. */
  step(): boolean;
}
