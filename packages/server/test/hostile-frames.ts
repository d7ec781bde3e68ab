import { OperationKind, StartFrom } from '@tidewire/schemas';
import { put } from './operations.js';
import { type Body, encodeFrame } from './raw-client.js';
import type { SeededRandom } from './seeded-random.js';

const FRAME_BYTES_MAX = 65_536;
const encoder = new TextEncoder();

/** `refused`: by a result, the connection goes on. `closed`: with it. `any`: it may be valid. */
export type Expected = 'refused' | 'closed' | 'any';

export interface HostileFrame {
  readonly bytes: Uint8Array;
  readonly expected: Expected;
}

const KINDS: readonly ((random: SeededRandom) => HostileFrame)[] = [
  truncated,
  truncated,
  lyingLength,
  lyingLength,
  randomBytes,
  unknownBody,
  tooLong,
  invalidUtf8,
  invalidUtf8,
  invalidUtf8,
  unknownKind,
  unknownKind,
  unknownKind,
  mutated,
  mutated,
];

export function hostileFrame(random: SeededRandom): HostileFrame {
  return random.pick(KINDS)(random);
}

const field = { steps: [{ step: { case: 'name' as const, value: 'a' } }] };
const literal = { literal: { case: 'number' as const, value: 1 } };
const where = { test: { case: 'ge' as const, value: { field, literal } } };
const catchUp = { where, withOld: true, maxHz: 10, start: StartFrom.SNAPSHOT };

function honest(random: SeededRandom): Uint8Array {
  const bodies: readonly Body[] = [
    { case: 'operations', value: { operations: [put('m', `k${random.below(50)}`, '{"a":1}')] } },
    {
      case: 'operations',
      value: { operations: Array.from({ length: 20 }, (_, i) => put('m', `k${i}`, '"x"')) },
    },
    { case: 'subscribe', value: { subscriptionId: 1 + random.below(9), map: 'm', key: 'k1' } },
    { case: 'subscribe', value: { subscriptionId: 1 + random.below(9), map: 'm', ...catchUp } },
    { case: 'unsubscribe', value: { subscriptionId: 1 + random.below(9) } },
    { case: 'query', value: { requestId: random.below(9), map: 'm', where, limit: 3 } },
    { case: 'cancelQuery', value: { requestId: random.below(9) } },
    { case: 'askDurable', value: { partitions: [random.below(271)] } },
    { case: 'hello', value: { protocolVersion: 1, node: 3, resumeToken: random.bytes(16) } },
  ];
  return encodeFrame(random.pick(bodies), BigInt(1 + random.below(1000)));
}

/** Every body says its length, so that whatever is cut off is missed. */
function truncated(random: SeededRandom): HostileFrame {
  const whole = honest(random);
  return { bytes: whole.subarray(0, random.below(whole.length)), expected: 'closed' };
}

/** Behind the clock (9 bytes) come the body's tag and its length. */
function lyingLength(random: SeededRandom): HostileFrame {
  const bytes = honest(random).slice();
  const at = 10 + random.below(random.below(2) === 0 ? 1 : bytes.length - 10);
  bytes[at] = random.below(256);
  return { bytes, expected: 'any' };
}

function mutated(random: SeededRandom): HostileFrame {
  const bytes = honest(random).slice();
  for (let i = 0; i <= random.below(4); i++) bytes[random.below(bytes.length)] = random.below(256);
  return { bytes, expected: 'any' };
}

function randomBytes(random: SeededRandom): HostileFrame {
  return { bytes: random.bytes(random.below(200)), expected: 'any' };
}

/** Field 9 and up, skipped as Protobuf wants it; then there is no body. */
function unknownBody(random: SeededRandom): HostileFrame {
  const body = random.bytes(random.below(100));
  const tag = ((11 + random.below(5)) << 3) | 2;
  return { bytes: Uint8Array.of(tag, body.length, ...body), expected: 'closed' };
}

function tooLong(random: SeededRandom): HostileFrame {
  if (random.below(8) > 0) {
    const operations = Array.from({ length: 1025 }, () => ({ kind: OperationKind.GET }));
    return {
      bytes: encodeFrame({ case: 'operations', value: { operations } }),
      expected: 'closed',
    };
  }
  return { bytes: new Uint8Array(FRAME_BYTES_MAX + 1 + random.below(1000)), expected: 'closed' };
}

const BAD_UTF8: readonly (readonly number[])[] = [
  [0xff],
  [0xc0, 0x80],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xe2, 0x82],
  [0x80],
  [0],
];

function invalidUtf8(random: SeededRandom): HostileFrame {
  const map = random.below(2) === 0 ? '#'.repeat(4) : 'm';
  const key = map === 'm' ? '#'.repeat(4) : 'k';
  const bytes = encodeFrame({
    case: 'operations',
    value: { operations: [put(map, key, '1', { requestId: 1 })] },
  }).slice();
  const bad = random.pick(BAD_UTF8);
  bytes.set(bad, Buffer.from(bytes).indexOf('####') + 4 - bad.length);
  return { bytes, expected: 'refused' };
}

function unknownKind(random: SeededRandom): HostileFrame {
  const wrong = [
    { kind: 9 + random.below(1000) },
    { kind: 0 },
    { valueKind: 3 + random.below(1000) },
    { ackLevel: 3 + random.below(1000) },
    { node: 2 ** 24 + random.below(1000) },
    { key: '' },
    { map: '' },
    { key: 'k'.repeat(1025) },
    { value: encoder.encode('v'.repeat(32_769)) },
    { ttlMs: 2n ** 63n },
    { stamp: 2n ** 63n },
    { stamp: 2n ** 64n - 1n },
  ];
  const operation = { ...put('m', 'k', '1', { requestId: 1 }), ...random.pick(wrong) };
  return {
    bytes: encodeFrame({ case: 'operations', value: { operations: [operation] } }),
    expected: 'refused',
  };
}
