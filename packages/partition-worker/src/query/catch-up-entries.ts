import {
  CATCH_UP_RENEW,
  CATCH_UP_SNAPSHOT,
  CatchUpRequest,
  RecordLayout,
} from '@tidewire/core/threads';
import { SliceKind } from '@tidewire/schemas';

const MODE_SHIFT = 16;

/** What a CATCH_UP record asks for: partitions, each from a cursor or from a SNAPSHOT. */
export class CatchUpEntries {
  readonly count: number;
  readonly #partitions: readonly number[];
  /** As in the record; empty: every partition from a SNAPSHOT. */
  readonly #words: Int32Array;

  /** `partitions` are those of the worker. */
  constructor(words: Int32Array, at: number, partitions: readonly number[]) {
    const count = words[at + CatchUpRequest.COUNT];
    const entries = at + CatchUpRequest.ENTRIES;
    this.#words = words.slice(entries, entries + count * CatchUpRequest.ENTRY_WORDS);
    this.#partitions = partitions;
    this.count = count === 0 ? partitions.length : count;
  }

  partitionAt(i: number): number {
    if (this.#words.length === 0) return this.#partitions[i];
    return this.#words[i * CatchUpRequest.ENTRY_WORDS] & ((1 << MODE_SHIFT) - 1);
  }

  kindAt(i: number): SliceKind {
    const mode = this.#words[i * CatchUpRequest.ENTRY_WORDS] >>> MODE_SHIFT;
    if (this.#words.length === 0 || mode === CATCH_UP_SNAPSHOT) return SliceKind.SNAPSHOT;
    return mode === CATCH_UP_RENEW ? SliceKind.RENEWAL : SliceKind.CHANGES;
  }

  /** The sequence that the subscriber has; of a SNAPSHOT 0. */
  cursorAt(i: number): number {
    if (this.kindAt(i) === SliceKind.SNAPSHOT) return 0;
    const entry = i * CatchUpRequest.ENTRY_WORDS;
    return RecordLayout.joinWords(this.#words[entry + 1], this.#words[entry + 2]);
  }
}
