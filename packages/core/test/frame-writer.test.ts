import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  Code,
  EventKind,
  EventsSchema,
  Level,
  ResultsSchema,
  ServerFrameSchema,
} from '@tidewire/schemas';
import t from 'tap';
import { NODE_MAX, STAMP_MS_MAX } from '#lib/hlc.js';
import { hashOf, partitionOf } from '#lib/partition-hash.js';
import {
  eventBytes,
  FRAME_HEAD_BYTES_MAX,
  NO_RECORD,
  patchLevel,
  patchRefusal,
  type ResultFields,
  resultBytes,
  writeEvent,
  writeEventsHead,
  writeResult,
  writeResultsHead,
} from '#lib/wire/frame-writer.js';
import { varintBytes, writeVarint } from '#lib/wire/wire-bytes.js';
import { type RecordFields, recordImage } from './record-image.js';
import { SEED, SeededRandom } from './seeded-random.js';

const RUNS = 3000;
const GUARD = 0xee;
const WORDS = [0, 1, 127, 128, 0x7fffffff, 0x80000000, 0xffffffff];
const LONGS = [0, 1, 127, 128, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 45, 2 ** 48 - 1];

function randomRecord(random: SeededRandom): RecordFields {
  const isTombstone = random.chance(20);
  const valueLength = random.pick([0, 1, 3, 4, 63, 64, 100, 127, 128, 300, 20_000]);
  return {
    key: random.bytes(1 + random.below(random.chance(10) ? 1024 : 20)),
    value: random.bytes(isTombstone ? 0 : valueLength),
    valueKind: isTombstone ? 0 : random.below(3),
    isTombstone,
    ms: Math.min(1 + random.pick(LONGS), STAMP_MS_MAX),
    counter: random.pick([0, 1, 0x7fff, 0x8000, 0xffff]),
    node: random.pick([0, 1, 0x800000, NODE_MAX]),
    sequence: random.pick(LONGS),
    expiresAtMs: isTombstone ? 0 : random.pick([0, ...LONGS]),
  };
}

function randomResult(random: SeededRandom, record: number): ResultFields {
  return {
    requestId: random.pick(WORDS),
    outcome: random.below(6),
    refusal: random.pick([0, Code.NOT_YET_DURABLE, Code.SLOW_CONSUMER]),
    level: random.below(4),
    partition: random.below(271),
    record: random.chance(30) ? NO_RECORD : record,
    withValue: random.chance(50),
  };
}

const stampOf = ({ ms, counter }: RecordFields): bigint => (BigInt(ms) << 16n) | BigInt(counter);

/** The entry that `write` makes in a guarded buffer, having claimed exactly `length` bytes for it. */
function written(
  length: number,
  write: (target: Uint8Array, offset: number) => number,
): Uint8Array {
  const target = new Uint8Array(length + 8).fill(GUARD);
  const end = write(target, 4);
  const guards = [...target.subarray(0, 4), ...target.subarray(length + 4)];
  if (end !== length + 4) throw new Error(`${end - 4} bytes written, ${length} claimed`);
  if (guards.some((byte) => byte !== GUARD)) throw new Error('wrote beyond its room');
  return target.slice(4, end);
}

function expectedResult(
  result: ResultFields,
  record: RecordFields,
): MessageInitShape<typeof ResultsSchema> {
  const { requestId, outcome, refusal, level, partition } = result;
  const base = { requestId, outcome, refusal, level, partition };
  if (result.record === NO_RECORD) return { results: [base] };
  const spoken = { stamp: stampOf(record), node: record.node, sequence: BigInt(record.sequence) };
  if (!result.withValue || record.isTombstone) return { results: [{ ...base, ...spoken }] };
  const { value, valueKind } = record;
  const expiresAtMs = BigInt(record.expiresAtMs);
  return { results: [{ ...base, ...spoken, value, valueKind, expiresAtMs }] };
}

t.test('WIRE-16: a result is what Protobuf reads from it, and as long as claimed', async (t) => {
  const random = new SeededRandom(SEED);
  let wrong = '';
  for (let i = 0; i < RUNS; i++) {
    const fields = randomRecord(random);
    const { words, wordBytes, record } = recordImage(fields, random.below(9));
    const result = randomResult(random, record);
    const bytes = written(resultBytes(result, words), (target, offset) =>
      writeResult(target, offset, result, words, wordBytes),
    );
    const expected = create(ResultsSchema, expectedResult(result, fields));
    const same =
      Buffer.compare(
        toBinary(ResultsSchema, fromBinary(ResultsSchema, bytes)),
        toBinary(ResultsSchema, expected),
      ) === 0;
    if (!same) wrong = Buffer.from(bytes).toString('hex');
  }
  t.equal(wrong, '', 'no result is read differently');
});

t.test('WIRE-17: refusal and level of a written result can be changed in place', async (t) => {
  for (const valueLength of [0, 100, 128, 20_000]) {
    const fields = { ...randomRecord(new SeededRandom(SEED)), value: new Uint8Array(valueLength) };
    const { words, wordBytes, record } = recordImage({ ...fields, isTombstone: false });
    const result = { ...randomResult(new SeededRandom(SEED), record), record, withValue: true };
    const bytes = new Uint8Array(2 * resultBytes(result, words));
    const second = writeResult(bytes, 0, result, words, wordBytes);
    writeResult(bytes, second, result, words, wordBytes);
    const before = fromBinary(ResultsSchema, bytes).results;
    patchRefusal(bytes, second, Code.NOT_YET_DURABLE);
    patchLevel(bytes, second, Level.DATABASE);
    const [first, patched] = fromBinary(ResultsSchema, bytes).results;
    t.same(first, before[0]);
    t.same(patched, { ...before[1], refusal: Code.NOT_YET_DURABLE, level: Level.DATABASE });
  }
});

function expectedEvent(record: RecordFields): MessageInitShape<typeof ServerFrameSchema>['body'] {
  const { key, value, valueKind, node, isTombstone } = record;
  const event = {
    kind: isTombstone ? EventKind.REMOVE : EventKind.PUT,
    partition: partitionOf(hashOf(key)),
    sequence: BigInt(record.sequence),
    key: Buffer.from(key).toString(),
    stamp: stampOf(record),
    node,
    ...(isTombstone ? {} : { value, valueKind, expiresAtMs: BigInt(record.expiresAtMs) }),
  };
  return { case: 'events', value: { events: [event] } };
}

t.test('WIRE-18: an event is what Protobuf reads from it, and as long as claimed', async (t) => {
  const random = new SeededRandom(SEED);
  let wrong = '';
  for (let i = 0; i < RUNS; i++) {
    const key = Buffer.from(random.pick(['a', 'user:1', '日本', 'x'.repeat(1024)]));
    const fields = { ...randomRecord(random), key };
    const { words, wordBytes, record } = recordImage(fields, random.below(9));
    const bytes = written(eventBytes(words, record), (target, offset) =>
      writeEvent(target, offset, words, wordBytes, record),
    );
    const expected = expectedEvent(fields)?.value as MessageInitShape<typeof EventsSchema>;
    const theirs = toBinary(EventsSchema, create(EventsSchema, expected));
    if (Buffer.compare(bytes, theirs) !== 0) wrong = Buffer.from(bytes).toString('hex');
  }
  t.equal(wrong, '', 'every event is written as Protobuf writes it');
});

t.test('WIRE-19: a head stands directly before the body that is already written', async (t) => {
  const random = new SeededRandom(SEED);
  for (const entries of [0, 1, 7, 1000]) {
    const fields = { ...randomRecord(random), key: Buffer.from('user:1') };
    const { words, wordBytes, record } = recordImage({ ...fields, value: Buffer.from('{}') });
    const buffer = new Uint8Array(FRAME_HEAD_BYTES_MAX + entries * eventBytes(words, record));
    let end = FRAME_HEAD_BYTES_MAX;
    for (let i = 0; i < entries; i++) end = writeEvent(buffer, end, words, wordBytes, record);
    for (const topic of [0, 1, 300, 0xffffffff]) {
      const ms = random.pick(LONGS);
      const start = writeEventsHead(buffer, FRAME_HEAD_BYTES_MAX, end, topic, ms, 77);
      t.ok(start >= 0, 'the head fits its room');
      const frame = fromBinary(ServerFrameSchema, buffer.subarray(start, end));
      t.equal(frame.clock, (BigInt(ms) << 16n) | 77n);
      t.match(frame.body, { case: 'events', value: { topic } });
      if (frame.body.case === 'events') t.equal(frame.body.value.events.length, entries);
    }
  }
});

t.test('WIRE-19: results of several operations share a head', async (t) => {
  const words = new Int32Array(1);
  const wordBytes = new Uint8Array(words.buffer);
  const result = {
    requestId: 1,
    outcome: 5,
    refusal: 0,
    level: 1,
    partition: 9,
    record: NO_RECORD,
    withValue: false,
  };
  const buffer = new Uint8Array(200);
  let end = FRAME_HEAD_BYTES_MAX;
  for (const requestId of [7, 8])
    end = writeResult(buffer, end, { ...result, requestId }, words, wordBytes);
  const start = writeResultsHead(buffer, FRAME_HEAD_BYTES_MAX, end, STAMP_MS_MAX, 0xffff);
  const frame = fromBinary(ServerFrameSchema, buffer.subarray(start, end));
  t.equal(frame.clock, 2n ** 63n - 1n);
  t.match(frame.body, {
    case: 'results',
    value: { results: [{ requestId: 7 }, { requestId: 8 }] },
  });
});

t.test('WIRE-20: a number takes as many bytes as announced, up to 2^53', async (t) => {
  const target = new Uint8Array(10);
  for (let bits = 0; bits <= 53; bits++)
    for (const value of [2 ** bits - 1, 2 ** bits]) {
      const end = writeVarint(target, 0, value);
      const read = target
        .subarray(0, end)
        .reduceRight((sum, byte) => sum * 128n + BigInt(byte & 0x7f), 0n);
      t.equal(read, BigInt(value));
      t.equal(end, varintBytes(value));
    }
});
