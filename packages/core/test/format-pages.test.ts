import { readFileSync } from 'node:fs';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  AckLevel,
  ClientFrameSchema,
  Code,
  EventKind,
  Level,
  OperationKind,
  ServerFrameSchema,
  ValueKind,
} from '@tidewire/schemas';
import t from 'tap';
import { bytesToWords } from '#lib/memory/lanes.js';
import { Operation, RequestKind } from '#lib/memory/messages.js';
import * as Layout from '#lib/memory/record-layout.js';
import { hashOf, partitionOf } from '#lib/partition-hash.js';
import { canonicalPredicate } from '#lib/query/canonical.js';
import { encodePredicate } from '#lib/query/predicate-codec.js';
import { parsePredicate } from '#lib/query/predicate-text.js';
import { DATA, ringBufferBytes, TAIL } from '#lib/ring/ring-layout.js';
import { RingProducer } from '#lib/ring/ring-producer.js';
import { writeEvent } from '#lib/wire/event-writer.js';
import {
  beginEventGroup,
  endEventGroup,
  FRAME_HEAD_BYTES_MAX,
  writeEventGroupsHead,
  writeEventsHead,
  writeResult,
  writeResultsHead,
} from '#lib/wire/frame-writer.js';
import { NO_RECORD } from '#lib/wire/record-fields.js';
import { readFrame } from './frame-oracle.js';
import { type RecordFields, recordImage } from './record-image.js';

// The example of docs/formats: a put of users / user:1, its result, its event and its ring record.
const MS = 1_771_286_400_000;
const NODE = 0xabc123;
const SEQUENCE = 300;
const TOPIC = 5;
const REQUEST_ID = 7;
const KEY = Buffer.from('user:1');
const VALUE = Buffer.from('{"n":1}');
const PARTITION = partitionOf(hashOf(KEY));

const record: RecordFields = {
  key: KEY,
  value: VALUE,
  valueKind: ValueKind.JSON,
  isTombstone: false,
  ms: MS,
  counter: 2,
  node: NODE,
  sequence: SEQUENCE,
  expiresAtMs: 0,
};

/** The hexadecimal column of the block under a page's heading, joined. */
function bytesUnder(page: string, heading: string): string {
  const text = readFileSync(new URL(`../../../docs/formats/${page}`, import.meta.url), 'utf8');
  const block = text.split(`\n### ${heading}\n`)[1]?.split('```')[1] ?? '';
  return Array.from(block.matchAll(/^ *\d+ {2}((?:[0-9a-f]{2,8} )+)/gm), ([, hex]) => hex)
    .join('')
    .replaceAll(' ', '');
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

t.test('WIRE-21: the put of the page is the put on the wire', async (t) => {
  const operation = {
    requestId: REQUEST_ID,
    kind: OperationKind.PUT,
    map: 'users',
    key: KEY.toString(),
    value: VALUE,
    valueKind: ValueKind.JSON,
    stamp: (BigInt(MS) << 16n) | 2n,
    node: NODE,
    ackLevel: AckLevel.FAST,
  };
  const body = { case: 'operations' as const, value: { operations: [operation] } };
  const frame = create(ClientFrameSchema, { clock: (BigInt(MS) << 16n) | 3n, body });
  const bytes = toBinary(ClientFrameSchema, frame);
  t.equal(bytesUnder('wire-frame.md', 'A put'), hexOf(bytes));
  t.match(readFrame(bytes), { body: 3, operations: [{ requestId: REQUEST_ID, node: NODE }] });
});

t.test('WIRE-21: the result of the page is the result on the wire', async (t) => {
  const { words, wordBytes, record: at } = recordImage(record);
  const buffer = new Uint8Array(200);
  const result = {
    requestId: REQUEST_ID,
    outcome: Code.APPLIED,
    refusal: 0,
    level: Level.MEMORY,
    partition: PARTITION,
    record: at,
    withValue: false,
    detail: new Uint8Array(0),
    retryAfterMs: 0,
  };
  const end = writeResult(buffer, FRAME_HEAD_BYTES_MAX, result, words, wordBytes);
  const start = writeResultsHead(buffer, FRAME_HEAD_BYTES_MAX, end, MS, 4);
  const bytes = buffer.subarray(start, end);
  t.equal(bytesUnder('wire-frame.md', 'Its result'), hexOf(bytes));
  t.match(fromBinary(ServerFrameSchema, bytes).body, { case: 'results' });
});

t.test('WIRE-21: the event of the page is the event on the wire', async (t) => {
  const { words, wordBytes, record: at } = recordImage(record);
  const buffer = new Uint8Array(200);
  const event = { kind: EventKind.PUT, record: at, old: NO_RECORD };
  const end = writeEvent(buffer, FRAME_HEAD_BYTES_MAX, event, words, wordBytes);
  const start = writeEventsHead(buffer, FRAME_HEAD_BYTES_MAX, end, TOPIC, MS, 4);
  const bytes = buffer.subarray(start, end);
  t.equal(bytesUnder('wire-frame.md', 'Its event'), hexOf(bytes));
  t.match(fromBinary(ServerFrameSchema, bytes).body, { case: 'events', value: { topic: TOPIC } });
});

t.test('WIRE-21: the groups of events of the page are those on the wire', async (t) => {
  const { words, wordBytes, record: at } = recordImage(record);
  const buffer = new Uint8Array(200);
  const event = { kind: EventKind.UPDATE, record: at, old: NO_RECORD };
  let end = FRAME_HEAD_BYTES_MAX;
  for (const topic of [TOPIC, TOPIC + 1]) {
    const group = end;
    end = beginEventGroup(buffer, group, topic);
    end = writeEvent(buffer, end, event, words, wordBytes);
    endEventGroup(buffer, group, end);
  }
  const start = writeEventGroupsHead(buffer, FRAME_HEAD_BYTES_MAX, end, MS, 4);
  const bytes = buffer.subarray(start, end);
  t.equal(
    bytesUnder('wire-frame.md', 'Its events, to one who hears two predicates alone'),
    hexOf(bytes),
  );
  const topics = [{ topic: TOPIC }, { topic: TOPIC + 1 }];
  const { body } = fromBinary(ServerFrameSchema, bytes);
  t.match(body, { case: 'eventGroups', value: { groups: topics } });
});

t.test('RING-11: the ring record of the page is the ring record in memory', async (t) => {
  const producer = new RingProducer(new SharedArrayBuffer(ringBufferBytes(1024)));
  const { words } = producer;
  const wordBytes = new Uint8Array(words.buffer);
  const bodyWords = Operation.KEY + Layout.wordsOf(KEY.length) + Layout.wordsOf(VALUE.length);
  const at = producer.claim(RequestKind.OPERATION, bodyWords);
  words[at + Operation.SESSION] = 12;
  words[at + Operation.REQUEST_ID] = REQUEST_ID;
  words[at + Operation.HASH] = hashOf(KEY);
  words[at + Operation.MAP_KIND_FLAGS] = (1 << 16) | (OperationKind.PUT << 8);
  words[at + Operation.MS_LOW] = Layout.lowWord(MS);
  words[at + Operation.MS_HIGH_COUNTER] = (Layout.highWord(MS) << 16) | 2;
  words[at + Operation.NODE_VALUE_KIND] = (NODE << 8) | ValueKind.JSON;
  words[at + Operation.LENGTHS] = Layout.packLengths(KEY.length, VALUE.length);
  words[at + Operation.NOW_LOW] = Layout.lowWord(MS);
  words[at + Operation.NOW_HIGH] = Layout.highWord(MS);
  const valueAt = at + Operation.KEY + Layout.wordsOf(KEY.length);
  bytesToWords(KEY, 0, KEY.length, words, wordBytes, at + Operation.KEY);
  bytesToWords(VALUE, 0, VALUE.length, words, wordBytes, valueAt);
  producer.commit();
  const inMemory = Array.from(words.subarray(DATA, DATA + words[TAIL]), (word) =>
    (word >>> 0).toString(16).padStart(8, '0'),
  );
  t.equal(bytesUnder('ring-record.md', 'An operation'), inMemory.join(''));
});

t.test('RING-12: the record image of the page is the one in memory', async (t) => {
  const { words, record: at } = recordImage(record);
  const image = words.slice(at, at + Layout.imageWords(words, at));
  image[Layout.MAP_COUNTER] = (1 << 16) | 2; // the page's map has id 1
  const inMemory = Array.from(image, (word) => (word >>> 0).toString(16).padStart(8, '0'));
  t.equal(bytesUnder('record-layout.md', 'A record'), inMemory.join(''));
});

t.test('PRED-33: the predicate of the page is the one on the wire', async (t) => {
  const predicate = parsePredicate("population > 1000000 and tags contains 'sea'");
  const bytes = encodePredicate(canonicalPredicate(predicate));
  t.equal(bytesUnder('predicate.md', 'Worked example'), hexOf(bytes));
});
