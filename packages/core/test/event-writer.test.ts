import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  CatchUpSchema,
  EventKind,
  type EventSchema,
  EventsSchema,
  SliceKind,
} from '@tidewire/schemas';
import t from 'tap';
import { hashOf, partitionOf } from '#lib/partition-hash.js';
import {
  type EventFields,
  eventBytes,
  writeEvent,
  writeSliceEvent,
} from '#lib/wire/event-writer.js';
import { NO_RECORD } from '#lib/wire/record-fields.js';
import {
  SLICE_HEAD_BYTES_MAX,
  type SliceFields,
  sliceBytes,
  writeSliceHead,
  writeSliceTail,
} from '#lib/wire/slice-writer.js';
import { randomRecord, stampOf, written } from './random-record.js';
import { type RecordFields, recordImage } from './record-image.js';
import { SEED, SeededRandom } from './seeded-random.js';

const RUNS = 3000;
const KEYS = ['a', 'user:1', '日本', 'x'.repeat(1024)];
const VALUED = [EventKind.PUT, EventKind.ENTER, EventKind.UPDATE];

function expectedEvent(
  kind: EventKind,
  record: RecordFields,
  old?: RecordFields,
): MessageInitShape<typeof EventSchema> {
  const { key, value, valueKind, node } = record;
  return {
    kind,
    partition: partitionOf(hashOf(key)),
    sequence: BigInt(record.sequence),
    key: Buffer.from(key).toString(),
    stamp: stampOf(record),
    node,
    ...(VALUED.includes(kind) ? { value, valueKind, expiresAtMs: BigInt(record.expiresAtMs) } : {}),
    ...(old === undefined ? {} : { oldValue: old.value, oldValueKind: old.valueKind }),
  };
}

/** A record of its own memory, and one before it in the same. */
function randomChange(random: SeededRandom): {
  fields: RecordFields;
  old: RecordFields;
  words: Int32Array;
  wordBytes: Uint8Array;
  record: number;
  oldRecord: number;
} {
  const key = Buffer.from(random.pick(KEYS));
  const fields = { ...randomRecord(random), key };
  const old = { ...randomRecord(random), key };
  const before = recordImage(old, random.below(9));
  const after = recordImage(fields, before.words.length);
  after.words.set(before.words);
  return { ...after, fields, old, oldRecord: before.record };
}

t.test(
  'WIRE-18: an event of any kind is what Protobuf writes, and as long as claimed',
  async (t) => {
    const random = new SeededRandom(SEED);
    let wrong = '';
    for (let i = 0; i < RUNS; i++) {
      const { fields, old, words, wordBytes, record, oldRecord } = randomChange(random);
      const withOld = random.chance(30);
      const kind = random.pick([...VALUED, EventKind.REMOVE, EventKind.LEAVE]);
      const event: EventFields = { kind, record, old: withOld ? oldRecord : NO_RECORD };
      const bytes = written(eventBytes(event, words), (target, offset) =>
        writeEvent(target, offset, event, words, wordBytes),
      );
      const events = [expectedEvent(kind, fields, withOld ? old : undefined)];
      const theirs = toBinary(EventsSchema, create(EventsSchema, { events }));
      if (Buffer.compare(bytes, theirs) !== 0) wrong = Buffer.from(bytes).toString('hex');
    }
    t.equal(wrong, '', 'every event is written as Protobuf writes it');
  },
);

t.test('CATCH-20: a slice is what Protobuf writes, and as long as claimed', async (t) => {
  const random = new SeededRandom(SEED);
  let wrong = '';
  let headMost = 0;
  for (let i = 0; i < RUNS; i++) {
    const change = randomChange(random);
    const { words, wordBytes, record, fields } = change;
    const event: EventFields = { kind: EventKind.PUT, record, old: NO_RECORD };
    const events = random.below(4);
    const hashes = Array.from({ length: random.pick([0, 1, 17, 2000]) }, () => random.word());
    const slice: SliceFields = {
      partition: random.pick([0, 1, 127, 128, 270]),
      kind: random.pick([SliceKind.CHANGES, SliceKind.SNAPSHOT]),
      begins: random.chance(50),
      ends: random.chance(50),
      sequence: random.pick([0, 1, 300, 2 ** 48 - 1]),
      eventsBytes: events * eventBytes(event, words),
      forgotten: hashes.flatMap((hash) => [hash | 0, 7]),
    };
    headMost = Math.max(headMost, sliceBytes(slice) - slice.eventsBytes - hashes.length * 8);
    const bytes = written(sliceBytes(slice), (target, offset) => {
      let at = writeSliceHead(target, offset, slice);
      for (let j = 0; j < events; j++) at = writeSliceEvent(target, at, event, words, wordBytes);
      return writeSliceTail(target, at, slice);
    });
    const { partition, kind, begins, ends, sequence } = slice;
    const theirs = toBinary(
      CatchUpSchema,
      create(CatchUpSchema, {
        slices: [
          {
            partition,
            kind,
            begins,
            ends,
            sequence: BigInt(sequence),
            events: Array(events).fill(expectedEvent(EventKind.PUT, fields)),
            forgotten: hashes.map((hash) => (7n << 32n) | BigInt(hash)),
          },
        ],
      }),
    );
    if (Buffer.compare(bytes, theirs) !== 0) wrong = Buffer.from(bytes).toString('hex');
  }
  t.equal(wrong, '', 'every slice is written as Protobuf writes it');
  t.ok(headMost <= SLICE_HEAD_BYTES_MAX, `${headMost} bytes beside events and hashes`);
});
