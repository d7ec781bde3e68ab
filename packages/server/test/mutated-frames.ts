import { fromBinary } from '@bufbuild/protobuf';
import { encodePredicate, parsePredicate } from '@tidewire/core';
import { OperationKind, PredicateSchema, StartFrom } from '@tidewire/schemas';
import { get, put, remove, SAFE, stampFromNow } from './operations.js';
import { type Body, encodeFrame } from './raw-client.js';
import type { SeededRandom } from './seeded-random.js';

const WHERE = fromBinary(
  PredicateSchema,
  encodePredicate(
    parsePredicate("a > 1 and not (b = 'x' or c in (1, 2, null)) and $key like 'k%'"),
  ),
);

/** A frame as any client may send it; of each body there are some. */
function soundFrame(random: SeededRandom): Uint8Array {
  const subscriptionId = 1 + random.below(9);
  const key = `k${random.below(50)}`;
  const more = { stamp: stampFromNow(random.below(100)), ttlMs: BigInt(random.below(1000)) };
  const bodies: readonly Body[] = [
    { case: 'operations', value: { operations: [put('m', key, '{"a":1}')] } },
    { case: 'operations', value: { operations: [put('m', key, '[1]', { ...more, node: 3 })] } },
    { case: 'operations', value: { operations: [get('m', key), remove('m', key), get('n', key)] } },
    { case: 'operations', value: { operations: [put('m', key, 'x', SAFE)] } },
    {
      case: 'operations',
      value: { operations: [{ kind: OperationKind.PUT, returnWinner: true }] },
    },
    { case: 'subscribe', value: { subscriptionId, map: 'm', key } },
    { case: 'subscribe', value: { subscriptionId, map: 'm', start: StartFrom.SNAPSHOT } },
    { case: 'subscribe', value: { subscriptionId, map: 'm', where: WHERE, withOld: true } },
    { case: 'unsubscribe', value: { subscriptionId } },
    { case: 'query', value: { requestId: 1, map: 'm', where: WHERE, limit: 3 } },
    { case: 'cancelQuery', value: { requestId: 1 } },
    { case: 'hello', value: { protocolVersion: 1, node: 3, resumeToken: random.bytes(16) } },
    { case: 'ping', value: { token: 7n } },
  ];
  return encodeFrame(random.pick(bodies), BigInt(random.below(1000)));
}

/** A sound frame with a byte or two changed, so that most of it is still read, or damaged more. */
export function mutatedFrame(random: SeededRandom): Uint8Array {
  let bytes = soundFrame(random);
  if (random.below(4) > 0) {
    for (let times = 1 + random.below(2); times > 0; times--)
      bytes[random.below(bytes.length)] = random.below(256);
    return bytes;
  }
  for (let times = 1 + random.below(3); times > 0; times--) bytes = mutate(bytes, random);
  return bytes;
}

/** Damages bytes in one of the ways that lines, bugs and attackers do. */
export function mutate(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const at = random.below(bytes.length + 1);
  const count = 1 + random.below(6);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (random.below(8)) {
    case 0: // a bit
      return bytes.map((byte, i) => (i === at ? byte ^ (1 << random.below(8)) : byte));
    case 1: // some bytes
      return bytes.map((byte, i) => (i >= at && i < at + count ? random.below(256) : byte));
    case 2: // cut off
      return before;
    case 3: // taken out
      return joined(before, after.subarray(count));
    case 4: // put in
      return joined(before, random.bytes(count), after);
    case 5: // said twice
      return joined(before, after.subarray(0, count * 4), after);
    case 6: // a number that does not end
      return joined(before, new Uint8Array(2 * count).fill(0x80), after);
    default: // the middle of another
      return joined(before, soundFrame(random).subarray(random.below(20)));
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
