import { isDeepStrictEqual } from 'node:util';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ClientFrameSchema, HelloSchema } from '@tidewire/schemas';
import t from 'tap';
import { FRAME_OPERATIONS_MAX } from '#lib/limits.js';
import { FRAME_FAULT_SENTENCES, FrameFault } from '#lib/wire/frame-fault.js';
import { ClientBody, FrameReader, OPERATION_READ, OPERATIONS_END } from '#lib/wire/frame-reader.js';
import { oracleFrame, readFrame } from './frame-oracle.js';
import { oddFrame, randomFrame } from './random-frame.js';
import { SEED, SeededRandom } from './seeded-random.js';

const FRAMES = 5000;

function isReadAlike(bytes: Uint8Array): boolean {
  return isDeepStrictEqual(readFrame(bytes), oracleFrame(bytes, 'utf8'));
}

t.test('WIRE-2: every frame that Protobuf writes is read back alike', async (t) => {
  const random = new SeededRandom(SEED);
  const frames = Array.from({ length: FRAMES }, () => randomFrame(random));
  const differing = frames.find((bytes) => !isReadAlike(bytes)) ?? new Uint8Array(0);
  t.equal(Buffer.from(differing).toString('hex'), '', 'no frame is read differently');
});

t.test('WIRE-3: the last of a repeated field wins, unknown fields are skipped', async (t) => {
  const random = new SeededRandom(SEED);
  const frames = Array.from({ length: FRAMES }, () => oddFrame(random));
  const differing = frames.find((bytes) => !isReadAlike(bytes)) ?? new Uint8Array(0);
  t.equal(Buffer.from(differing).toString('hex'), '', 'no frame is read differently');
});

/** Frames that are refused by one rule each; 1a is an Operations body, 0a an operation in it. */
const REFUSED: readonly [string, string, FrameFault][] = [
  ['WIRE-4: no body at all', '', FrameFault.NO_BODY],
  ['WIRE-4: a clock and no body', '090000000000000000', FrameFault.NO_BODY],
  ['WIRE-4: an unknown body only', 'a20100', FrameFault.NO_BODY],
  ['WIRE-5: two bodies', '1a002200', FrameFault.TWO_BODIES],
  ['WIRE-5: the same body twice', '1a001a00', FrameFault.TWO_BODIES],
  ['WIRE-6: a clock cut short', '0900000000000000', FrameFault.TRUNCATED],
  ['WIRE-6: a body beyond the frame', '1a01', FrameFault.TRUNCATED],
  ['WIRE-6: a body of 4 GiB', '1affffffff0f', FrameFault.TRUNCATED],
  ['WIRE-6: an operation beyond its body', '1a020a01a20100', FrameFault.TRUNCATED],
  ['WIRE-6: a key beyond its operation', '1a060a0222020000', FrameFault.TRUNCATED],
  ['WIRE-6: a number beyond its operation', '1a050a02088000', FrameFault.TRUNCATED],
  ['WIRE-6: a stamp beyond its operation', '1a0b0a02390102030405060708', FrameFault.TRUNCATED],
  ['WIRE-6: an unknown field beyond its operation', '1a080a039501000000', FrameFault.TRUNCATED],
  ['WIRE-6: a length of more than 32 bits', '1a8180808010', FrameFault.TRUNCATED],
  ['WIRE-7: a number of 11 bytes', '1a0e0a0c088080808080808080808000', FrameFault.VARINT],
  ['WIRE-7: an unknown number of 11 bytes', '78808080808080808080800022', FrameFault.VARINT],
  ['WIRE-8: field number 0', '0000', FrameFault.TAG],
  ['WIRE-8: wire type 6', '0e00', FrameFault.TAG],
  ['WIRE-8: wire type 7', '0f00', FrameFault.TAG],
  ['WIRE-8: a tag of more than 32 bits', '888080801000', FrameFault.TAG],
  ['WIRE-8: a tag of six bytes', '88808080800000', FrameFault.TAG],
  ['WIRE-9: an unknown group', '7b7c1a00', FrameFault.GROUP],
  ['WIRE-9: a body as a group', '1b1c', FrameFault.GROUP],
  ['WIRE-9: an operation as a group', '1a020b0c', FrameFault.GROUP],
  ['WIRE-9: a key as a group', '1a040a022324', FrameFault.GROUP],
  ['WIRE-10: a clock as a varint', '08011a00', FrameFault.WIRE_TYPE],
  ['WIRE-10: a body as a varint', '1800', FrameFault.WIRE_TYPE],
  ['WIRE-10: an operation as a varint', '1a020800', FrameFault.WIRE_TYPE],
  ['WIRE-10: a request id as bytes', '1a040a020a00', FrameFault.WIRE_TYPE],
  ['WIRE-10: a key as a varint', '1a040a022000', FrameFault.WIRE_TYPE],
  ['WIRE-10: a stamp as fixed32', '1a070a053d00000000', FrameFault.WIRE_TYPE],
  ['WIRE-10: a node as fixed64', '1a0b0a09410000000000000000', FrameFault.WIRE_TYPE],
];

for (const [title, bytes, fault] of REFUSED)
  t.test(title, async (t) => {
    t.equal(new FrameReader().open(Buffer.from(bytes, 'hex')), fault, FRAME_FAULT_SENTENCES[fault]);
  });

t.test('WIRE-11: a frame has at most FRAME_OPERATIONS_MAX operations', async (t) => {
  const reader = new FrameReader();
  t.equal(reader.open(operationsFrame(FRAME_OPERATIONS_MAX)), FrameFault.NONE);
  t.equal(reader.operationCount, FRAME_OPERATIONS_MAX);
  t.equal(reader.open(operationsFrame(FRAME_OPERATIONS_MAX + 1)), FrameFault.TOO_MANY_OPERATIONS);
});

function operationsFrame(count: number): Uint8Array {
  const operations = Array.from({ length: count }, (_, requestId) => ({ requestId }));
  const frame = create(ClientFrameSchema, { body: { case: 'operations', value: { operations } } });
  return toBinary(ClientFrameSchema, frame);
}

t.test('WIRE-12: a frame is refused whole, whichever operation is at fault', async (t) => {
  const reader = new FrameReader();
  t.equal(reader.open(Buffer.from('1a080a0208010a020a00', 'hex')), FrameFault.WIRE_TYPE);
});

t.test('WIRE-13: ttl saturates above 2^53 and the clock has two halves', async (t) => {
  const frame = create(ClientFrameSchema, {
    clock: 0xfedc_ba98_7654_3210n,
    body: { case: 'operations', value: { operations: [{ ttlMs: 2n ** 64n - 1n }] } },
  });
  const reader = new FrameReader();
  t.equal(reader.open(toBinary(ClientFrameSchema, frame)), FrameFault.NONE);
  t.equal(reader.nextOperation(), OPERATION_READ);
  t.equal(reader.ttlMs, Number.MAX_SAFE_INTEGER);
  t.equal(reader.nextOperation(), OPERATIONS_END);
  t.equal(reader.clockLow, 0x7654_3210);
  t.equal(reader.clockHigh, 0xfedc_ba98);
  t.equal(reader.clockMs, 0xfedc_ba98_7654);
  t.equal(reader.clockCounter, 0x3210);
});

t.test('WIRE-14: another body is bounded and left to its decoder', async (t) => {
  const hello = { case: 'hello', value: { node: 7, token: 'secret' } } as const;
  const bytes = toBinary(ClientFrameSchema, create(ClientFrameSchema, { clock: 5n, body: hello }));
  const reader = new FrameReader();
  t.equal(reader.open(bytes), FrameFault.NONE);
  t.equal(reader.body, ClientBody.HELLO);
  const body = bytes.subarray(reader.bodyOffset, reader.bodyOffset + reader.bodyLength);
  t.match(fromBinary(HelloSchema, body), { node: 7, token: 'secret' });
});
