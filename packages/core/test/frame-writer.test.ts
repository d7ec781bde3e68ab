import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Code, EventKind, Level, ResultsSchema, ServerFrameSchema } from '@tidewire/schemas';
import t from 'tap';
import { STAMP_MS_MAX } from '#lib/hlc.js';
import { eventBytes, writeEvent } from '#lib/wire/event-writer.js';
import {
  beginEventGroup,
  endEventGroup,
  FRAME_HEAD_BYTES_MAX,
  GROUP_HEAD_BYTES_MAX,
  patchLevel,
  patchRefusal,
  type ResultFields,
  resultBytes,
  writeEventGroupsHead,
  writeEventsHead,
  writeResult,
  writeResultsHead,
  writeSingleGroupHead,
} from '#lib/wire/frame-writer.js';
import { NO_RECORD } from '#lib/wire/record-fields.js';
import { varintBytes, writeVarint } from '#lib/wire/wire-bytes.js';
import { LONGS, randomRecord, stampOf, written } from './random-record.js';
import { type RecordFields, recordImage } from './record-image.js';
import { SEED, SeededRandom } from './seeded-random.js';

const RUNS = 3000;
const WORDS = [0, 1, 127, 128, 0x7fffffff, 0x80000000, 0xffffffff];

function randomResult(random: SeededRandom, record: number): ResultFields {
  return {
    requestId: random.pick(WORDS),
    outcome: random.below(6),
    refusal: random.pick([0, Code.NOT_YET_DURABLE, Code.SLOW_CONSUMER]),
    level: random.below(4),
    partition: random.below(271),
    record: random.chance(30) ? NO_RECORD : record,
    withValue: random.chance(50),
    detail: new TextEncoder().encode('é'.repeat(random.pick([0, 1, 200]))),
    retryAfterMs: random.pick(WORDS),
  };
}

function expectedResult(
  result: ResultFields,
  record: RecordFields,
): MessageInitShape<typeof ResultsSchema> {
  const { requestId, outcome, refusal, level, partition, retryAfterMs } = result;
  const detail = new TextDecoder().decode(result.detail);
  const base = { requestId, outcome, refusal, level, partition, detail, retryAfterMs };
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

t.test('WIRE-19: a head stands directly before the body that is already written', async (t) => {
  const random = new SeededRandom(SEED);
  for (const entries of [0, 1, 7, 1000]) {
    const fields = { ...randomRecord(random), key: Buffer.from('user:1') };
    const { words, wordBytes, record } = recordImage({ ...fields, value: Buffer.from('{}') });
    const event = { kind: EventKind.PUT, record, old: NO_RECORD };
    const buffer = new Uint8Array(FRAME_HEAD_BYTES_MAX + entries * eventBytes(event, words));
    let end = FRAME_HEAD_BYTES_MAX;
    for (let i = 0; i < entries; i++) end = writeEvent(buffer, end, event, words, wordBytes);
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

t.test('FAN-8: groups of events are what Protobuf reads from them, of any length', async (t) => {
  const random = new SeededRandom(SEED);
  const { words, wordBytes, record } = recordImage({
    ...randomRecord(random),
    key: Buffer.from('user:1'),
    value: Buffer.from('{}'),
  });
  const event = { kind: EventKind.PUT, record, old: NO_RECORD };
  const length = eventBytes(event, words);
  for (const counts of [[1], [1, 2], [0, 3, 1], [1000, 1], [1, 30_000, 2]]) {
    const topics = counts.map(() => random.pick([1, 127, 128, 300, 0x7fffffff]));
    const events = counts.reduce((sum, count) => sum + count, 0);
    const groupBytes = counts.length * GROUP_HEAD_BYTES_MAX;
    const buffer = new Uint8Array(FRAME_HEAD_BYTES_MAX + groupBytes + events * length);
    let end = FRAME_HEAD_BYTES_MAX;
    for (const [i, count] of counts.entries()) {
      const at = end;
      end = beginEventGroup(buffer, at, topics[i]);
      for (let j = 0; j < count; j++) end = writeEvent(buffer, end, event, words, wordBytes);
      endEventGroup(buffer, at, end);
    }
    const start = writeEventGroupsHead(buffer, FRAME_HEAD_BYTES_MAX, end, 5, 77);
    const { clock, body } = fromBinary(ServerFrameSchema, buffer.subarray(start, end));
    t.equal(clock, (5n << 16n) | 77n);
    const groups = body.case === 'eventGroups' ? body.value.groups : [];
    t.same(
      groups.map((group) => [group.topic, group.events.length]),
      counts.map((count, i) => [topics[i], count]),
    );
    if (counts.length > 1) continue;
    const alone = writeSingleGroupHead(buffer, FRAME_HEAD_BYTES_MAX, end, 5, 77);
    const single = fromBinary(ServerFrameSchema, buffer.subarray(alone, end));
    t.match(single, { clock, body: { case: 'events', value: { topic: topics[0] } } });
    t.same(single.body.value, groups[0]);
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
    detail: new Uint8Array(0),
    retryAfterMs: 0,
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
