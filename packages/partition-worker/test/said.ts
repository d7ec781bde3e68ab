import { fromBinary } from '@bufbuild/protobuf';
import {
  EventMessage,
  OutboundKind,
  ProgressMessage,
  RecordLayout,
  type RingConsumer,
  RowsMessage,
  SliceMessage,
} from '@tidewire/core/threads';
import { CatchUpSchema, type Event, EventsSchema, type Slice } from '@tidewire/schemas';

/** What a worker said to subscribers, decoded. */
export type Said = EventSaid | SliceSaid | RowsSaid | ProgressSaid;

export interface EventSaid {
  readonly kind: 'event';
  readonly topics: number[];
  readonly isFirst: boolean;
  readonly event: Event;
}

export interface SliceSaid {
  readonly kind: 'slice';
  readonly stream: number;
  readonly flags: number;
  readonly bytes: number;
  readonly ended: [partition: number, sequence: number][];
  readonly slices: Slice[];
}

export interface RowsSaid {
  readonly kind: 'rows';
  readonly stream: number;
  readonly flags: number;
  readonly count: number;
  readonly bytes: number;
  readonly rows: Event[];
  /** Hexadecimal; of sorted rows only, as are the lengths of their events. */
  readonly sortKeys: string[];
  readonly eventBytes: number[];
}

export interface ProgressSaid {
  readonly kind: 'progress';
  readonly reached: [partition: number, sequence: number][];
}

/** The record that `ring` stands at; undefined for one that is no subscriber's. */
export function readSaid(ring: RingConsumer, bytes: Uint8Array): Said | undefined {
  const { index: at, kind, words } = ring;
  switch (kind) {
    case OutboundKind.EVENT:
      return readEvent(words, bytes, at);
    case OutboundKind.SLICE:
      return readSlice(words, bytes, at);
    case OutboundKind.ROWS:
      return readRows(words, bytes, at);
    case OutboundKind.PROGRESS:
      return {
        kind: 'progress',
        reached: readPairs(words, at + ProgressMessage.ENTRIES, words[at + ProgressMessage.COUNT]),
      };
    default:
      return undefined;
  }
}

function readEvent(words: Int32Array, bytes: Uint8Array, at: number): EventSaid {
  const count = words[at + EventMessage.TOPIC_COUNT];
  const topics = [...words.slice(at + EventMessage.TOPICS, at + EventMessage.TOPICS + count)];
  const start = at + EventMessage.TOPICS + count;
  const body = bytesAt(bytes, start * 4, words[at + EventMessage.BYTES]);
  const [event] = fromBinary(EventsSchema, body).events;
  return { kind: 'event', topics, isFirst: words[at + EventMessage.FIRST] === 1, event };
}

function readSlice(words: Int32Array, bytes: Uint8Array, at: number): SliceSaid {
  const count = words[at + SliceMessage.ENDED_COUNT];
  const length = words[at + SliceMessage.BYTES];
  const start = at + SliceMessage.ENDED + count * SliceMessage.ENDED_WORDS;
  return {
    kind: 'slice',
    stream: words[at + SliceMessage.STREAM],
    flags: words[at + SliceMessage.FLAGS],
    bytes: length,
    ended: readPairs(words, at + SliceMessage.ENDED, count),
    slices: fromBinary(CatchUpSchema, bytesAt(bytes, start * 4, length)).slices,
  };
}

function readRows(words: Int32Array, bytes: Uint8Array, at: number): RowsSaid {
  const length = words[at + RowsMessage.BYTES];
  const rowCount = words[at + RowsMessage.ROW_COUNT];
  const lengths = at + RowsMessage.ROWS;
  const start = (lengths + rowCount * RowsMessage.ROW_WORDS) * 4;
  const sortKeys: string[] = [];
  const eventBytes: number[] = [];
  for (let i = 0, offset = start + length; i < rowCount; i++) {
    const sortKeyLength = words[lengths + i * RowsMessage.ROW_WORDS];
    sortKeys.push(Buffer.from(bytesAt(bytes, offset, sortKeyLength)).toString('hex'));
    eventBytes.push(words[lengths + i * RowsMessage.ROW_WORDS + 1]);
    offset += sortKeyLength;
  }
  return {
    kind: 'rows',
    stream: words[at + RowsMessage.STREAM],
    flags: words[at + RowsMessage.FLAGS],
    count: RecordLayout.joinWords(
      words[at + RowsMessage.COUNT_LOW],
      words[at + RowsMessage.COUNT_HIGH],
    ),
    bytes: length,
    rows: fromBinary(EventsSchema, bytesAt(bytes, start, length)).events,
    sortKeys,
    eventBytes,
  };
}

/** Entries of a partition and a sequence, three words each. */
function readPairs(words: Int32Array, at: number, count: number): [number, number][] {
  return Array.from({ length: count }, (_, i) => {
    const entry = at + i * 3;
    return [words[entry], RecordLayout.joinWords(words[entry + 1], words[entry + 2])];
  });
}

function bytesAt(bytes: Uint8Array, offset: number, length: number): Uint8Array {
  return bytes.slice(offset, offset + length);
}
