import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { ClientFrameSchema, type OperationSchema } from '@tidewire/schemas';
import type { SeededRandom } from './seeded-random.js';

const WORDS = [0, 1, 2, 3, 127, 128, 16_383, 16_384, 0x7fffffff, 0x80000000, 0xffffffff];
const LONGS = [0n, 1n, 0x7fn, 0x80n, 0xffffffffn, 0x1_0000_0000n, 2n ** 45n, 2n ** 53n - 1n];
const LONGER = [2n ** 53n, 2n ** 56n, 2n ** 63n, 2n ** 64n - 1n];
const TEXTS = [
  '',
  'a',
  'users',
  'user:123',
  '日本',
  '😀',
  'é\u0000',
  'x'.repeat(127),
  'y'.repeat(200),
];

/** A frame as a client would send it. */
export function randomFrame(random: SeededRandom): Uint8Array {
  const clock = randomLong(random);
  const body = randomBody(random);
  return toBinary(ClientFrameSchema, create(ClientFrameSchema, { clock, body }));
}

type Body = NonNullable<MessageInitShape<typeof ClientFrameSchema>['body']>;

function randomBody(random: SeededRandom): Body {
  switch (random.below(9)) {
    case 0:
      return { case: 'hello', value: { node: 7, cursor: { epoch: 9n } } };
    case 1:
      return { case: 'ping', value: { token: randomLong(random) } };
    case 2:
      return { case: 'subscribe', value: { subscriptionId: 1, map: random.pick(TEXTS) } };
    case 3:
      return { case: 'askDurable', value: { partitions: [3, 200] } };
    default: {
      const count = random.chance(5) ? random.below(40) : random.below(4);
      const operations = Array.from({ length: count }, () => randomOperation(random));
      return { case: 'operations', value: { operations, lowestPending: random.pick(WORDS) } };
    }
  }
}

function randomOperation(random: SeededRandom): MessageInitShape<typeof OperationSchema> {
  return {
    requestId: random.pick(WORDS),
    kind: random.below(4),
    map: random.pick(TEXTS),
    key: random.pick(TEXTS),
    value: random.bytes(random.chance(10) ? random.below(300) : random.below(8)),
    valueKind: random.below(3),
    stamp: randomLong(random),
    node: random.pick(WORDS),
    ttlMs: randomLong(random),
    ackLevel: random.below(3),
    returnWinner: random.chance(50),
    whileConnected: random.chance(50),
    ifAbsent: random.chance(50),
    ifStamp: randomLong(random),
    ifNode: random.pick(WORDS),
    keep: random.pick(WORDS),
    firstMemory: randomLong(random),
    processor: random.pick(TEXTS),
    others: random.bytes(random.below(8)),
  };
}

function randomLong(random: SeededRandom): bigint {
  return random.chance(80) ? random.pick(LONGS) : random.pick(LONGER);
}

/** A legal frame as no client writes it: fields repeated, in any order, unknown, spelt too long. */
export function oddFrame(random: SeededRandom): Uint8Array {
  const operations = new BinaryWriter();
  for (let count = random.below(4); count > 0; count--) {
    if (random.chance(20)) writeUnknown(operations, random);
    operations.tag(1, WireType.LengthDelimited).bytes(oddOperation(random));
  }
  const frame = new BinaryWriter();
  if (random.chance(50)) frame.tag(1, WireType.Bit64).fixed64(randomLong(random));
  if (random.chance(30)) writeUnknown(frame, random);
  frame.tag(3, WireType.LengthDelimited).bytes(operations.finish());
  if (random.chance(50)) frame.tag(1, WireType.Bit64).fixed64(randomLong(random));
  if (random.chance(30)) writeUnknown(frame, random);
  return frame.finish();
}

function oddOperation(random: SeededRandom): Uint8Array {
  const writer = new BinaryWriter();
  for (let count = random.below(16); count > 0; count--) {
    const field = 1 + random.below(20);
    if (field === 20) writeUnknown(writer, random);
    else if (field === 7 || field === 14 || field === 17)
      writer.tag(field, WireType.Bit64).fixed64(randomLong(random));
    else if ((field >= 3 && field <= 5) || field >= 18)
      writer.tag(field, WireType.LengthDelimited).string(random.pick(TEXTS));
    else writeOddVarint(writer.tag(field, WireType.Varint), random);
  }
  return writer.finish();
}

function writeOddVarint(writer: BinaryWriter, random: SeededRandom): void {
  if (random.chance(70)) writer.uint64(randomLong(random));
  else {
    const length = 1 + random.below(10);
    const bytes = random.bytes(length).map((byte) => byte | 0x80);
    bytes[length - 1] &= 0x7f;
    writer.raw(bytes);
  }
}

function writeUnknown(writer: BinaryWriter, random: SeededRandom): void {
  const field = random.pick([20, 32, 500, 2 ** 29 - 1]);
  switch (random.below(4)) {
    case 0:
      writeOddVarint(writer.tag(field, WireType.Varint), random);
      break;
    case 1:
      writer.tag(field, WireType.Bit64).fixed64(randomLong(random));
      break;
    case 2:
      writer.tag(field, WireType.LengthDelimited).bytes(random.bytes(random.below(6)));
      break;
    default:
      writer.tag(field, WireType.Bit32).fixed32(random.word());
  }
}

/** Damages a frame in one of the ways that lines, bugs and attackers do. */
export function mutateFrame(frame: Uint8Array, random: SeededRandom): Uint8Array {
  const bytes = Array.from(frame);
  const at = random.below(bytes.length + 1);
  const count = 1 + random.below(6);
  switch (random.below(8)) {
    case 0:
      if (at < bytes.length) bytes[at] ^= 1 << random.below(8);
      break;
    case 1:
      bytes.length = at;
      break;
    case 2:
      bytes.splice(at, 0, ...bytes.slice(at, at + count * 4));
      break;
    case 3:
      bytes.splice(at, count);
      break;
    case 4:
      bytes.splice(at, 0, ...random.bytes(count));
      break;
    case 5:
      bytes.splice(at, 0, ...new Array<number>(2 * count).fill(0x80));
      break;
    case 6:
      bytes.push(...frame);
      break;
    default:
      for (let i = at; i < Math.min(at + count, bytes.length); i++) bytes[i] = random.word() & 0xff;
  }
  return Uint8Array.from(bytes);
}
