import type { Stamp } from './stamp.js';

/** What a write came to. SUPERSEDED is no error: a newer record stands. */
export type Outcome = 'APPLIED' | 'SUPERSEDED' | 'DUPLICATE';

/** How far the record has got: MEMORY of its owner, or committed by the DATABASE. */
export type ReachedLevel = 'MEMORY' | 'JOURNAL' | 'DATABASE';

export interface WriteResult {
  readonly outcome: Outcome;
  readonly level: ReachedLevel;
  readonly partition: number;
  /** The partition's sequence at the record spoken of. */
  readonly sequence: number;
  /** Of the own write; with SUPERSEDED, of the record that stands. */
  readonly stamp: Stamp;
}
