import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { ClientFrameSchema, type PredicateSchema } from '@tidewire/schemas';
import { MAP } from './operation-template.js';
import type { LoadPlan } from './plan.js';
import { maskedMessage } from './websocket.js';

/** As many as a connection may hold. */
export const PREDICATES_A_CONNECTION = 1000;
/** Every value matches so many of the predicates, however many there are. */
export const MATCHES = 4;
/** Added to each number of a value, so that all have seven digits. */
export const NUMBER_BASE = 1_000_000;

/** Added to the ends of the second family's ranges: no two predicates are the same. */
const BETWEEN_NUMBERS = 0.5;

/** How many parts each of the four families of predicates has; together as many as are asked for. */
export interface Families {
  /** Ranges of `n`: each family parts all keys into neighbours. */
  readonly ranges: readonly [number, number];
  /** Equality of `a` and of `b`, which are `n` modulo these. */
  readonly moduli: readonly [number, number];
}

/** Of each family exactly one predicate matches a value, so MATCHES do. */
export function familiesOf(predicates: number): Families {
  const half = Math.floor(predicates / 2);
  const first = Math.max(1, Math.floor(half / 2) - 1);
  const rest = predicates - half;
  const other = Math.max(1, Math.floor(rest / 2) - 1);
  return { ranges: [first, half - first], moduli: [other, rest - other] };
}

/** Predicate number `index` of them. */
export function predicateAt(
  index: number,
  predicates: number,
  keys: number,
): MessageInitShape<typeof PredicateSchema> {
  const { ranges, moduli } = familiesOf(predicates);
  if (index < ranges[0]) return rangeOf(index, ranges[0], keys, 0);
  if (index < ranges[0] + ranges[1])
    return rangeOf(index - ranges[0], ranges[1], keys, BETWEEN_NUMBERS);
  const part = index - ranges[0] - ranges[1];
  return part < moduli[0] ? equalTo('a', part) : equalTo('b', part - moduli[0]);
}

/** Messages by which subscriber `subscriber` of `subscribers` registers its share. */
export function subscribeMessages(plan: LoadPlan, subscriber: number): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let index = subscriber; index < plan.predicates; index += plan.subscribers) {
    const where = predicateAt(index, plan.predicates, plan.keys);
    const value = { subscriptionId: messages.length + 1, map: MAP, where };
    const frame = create(ClientFrameSchema, { body: { case: 'subscribe', value } });
    messages.push(maskedMessage(toBinary(ClientFrameSchema, frame)));
  }
  return messages;
}

function rangeOf(
  part: number,
  parts: number,
  keys: number,
  beyond: number,
): MessageInitShape<typeof PredicateSchema> {
  const low = Math.floor((part * keys) / parts);
  const high = Math.floor(((part + 1) * keys) / parts) - 1;
  const value = { field: fieldOf('n'), low: numberOf(low), high: numberOf(high + beyond) };
  return { test: { case: 'between', value } };
}

function equalTo(name: string, part: number): MessageInitShape<typeof PredicateSchema> {
  return { test: { case: 'eq', value: { field: fieldOf(name), literal: numberOf(part) } } };
}

function fieldOf(name: string) {
  return { steps: [{ step: { case: 'name' as const, value: name } }] };
}

function numberOf(number: number) {
  return { literal: { case: 'number' as const, value: NUMBER_BASE + number } };
}
