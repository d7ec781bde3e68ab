/** The time of a write: hybrid logical clock and the writer's node; ordered in this sequence. */
export interface Stamp {
  /** Milliseconds since 1970, near the server's physical time. */
  readonly ms: number;
  readonly counter: number;
  readonly node: number;
}
