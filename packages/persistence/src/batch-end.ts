import { BatchEnd, RecordLayout } from '@tidewire/core/threads';

/** Everything of a partition up to a sequence. */
interface Mark {
  readonly partition: number;
  readonly sequence: number;
}

/** What a batch completes once it is in the store. */
export interface End {
  /** SAFE lane position. */
  readonly laneHanded: number;
  readonly marks: readonly Mark[];
  /** Of the worker's changes, the first so many are complete then. */
  readonly changesWhole: number;
  /** More was dirty than the pull allowed. */
  readonly more: boolean;
}

/** Reads the body of an END ring record at word `at`. */
export function readEnd(words: Int32Array, at: number): End {
  return {
    laneHanded: words[at + BatchEnd.LANE_HANDED],
    marks: Array.from({ length: words[at + BatchEnd.MARK_COUNT] }, (_, i) =>
      readMark(words, at + BatchEnd.MARKS + i * BatchEnd.MARK_WORDS),
    ),
    changesWhole: words[at + BatchEnd.CHANGES_WHOLE],
    more: words[at + BatchEnd.MORE] !== 0,
  };
}

function readMark(words: Int32Array, at: number): Mark {
  return {
    partition: words[at],
    sequence: RecordLayout.joinWords(words[at + 1], words[at + 2]),
  };
}
