import { SliceKind } from '@tidewire/schemas';
import { ABSENT, type RecordStore, SCAN_END } from '../store/record-store.js';
import { ScanPlace } from '../store/scan-place.js';

/**
 * Finds what of a partition is newer than a cursor, turn by turn while it changes. It walks the
 * journal up to the present sequence; where the journal does not reach back, or is overrun between
 * two turns, it scans the partition instead.
 *
 * A key is visited with its record as it stands in that turn, never an older one after a newer one.
 * A scan goes once through all keys and needs no end mark: what has changed since it passed a key is
 * told live, and what had changed before was found.
 */
export class PartitionWalk {
  readonly partition: number;
  readonly kind: SliceKind;
  /** What the subscriber has. */
  readonly cursor: number;
  /** A slice has been said. */
  hasBegun = false;
  readonly #store: RecordStore;
  /** Everything up to this sequence has been visited, or has changed since. */
  #reached: number;
  #scan: ScanPlace | undefined;

  /** A SNAPSHOT and a RENEWAL visit every record there is. */
  constructor(store: RecordStore, partition: number, kind: SliceKind, cursor: number) {
    this.#store = store;
    this.partition = partition;
    this.kind = kind;
    this.cursor = cursor;
    this.#reached = cursor;
    if (kind !== SliceKind.CHANGES) this.#scan = new ScanPlace();
  }

  /** Records up to this sequence, where `visit` meets one, are not news. */
  get floor(): number {
    return this.kind === SliceKind.CHANGES ? this.#reached : -1;
  }

  /**
   * Goes on until `visit` says false, at which it stands when it is called again. It is given ABSENT for
   * work that finds no record: a change whose key has changed again, and the begin of a segment. True:
   * the partition is through, as of this turn.
   */
  run(visit: (record: number) => boolean): boolean {
    if (this.#scan === undefined && !this.#store.journalReaches(this.partition, this.#reached))
      this.#scan = new ScanPlace();
    return this.#scan === undefined ? this.#walk(visit) : this.#scanOn(this.#scan, visit);
  }

  #walk(visit: (record: number) => boolean): boolean {
    const present = this.#store.sequence(this.partition);
    for (; this.#reached < present; this.#reached++)
      if (!visit(this.#store.recordAt(this.partition, this.#reached + 1))) return false;
    return true;
  }

  #scanOn(place: ScanPlace, visit: (record: number) => boolean): boolean {
    while (place.entry !== SCAN_END)
      if (!visit(ABSENT) || !this.#store.scanFrom(this.partition, place, visit)) return false;
    return true;
  }
}
