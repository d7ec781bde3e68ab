import type { MessageInitShape } from '@bufbuild/protobuf';
import { create } from '@bufbuild/protobuf';
import { packStamp, sipHash } from '@tidewire/core';
import {
  type CatchUpSchema,
  type Event,
  EventKind,
  EventSchema,
  type Slice,
  SliceKind,
  type Subscribe,
  ValueKind,
} from '@tidewire/schemas';
import type { FakeEnvironment } from './fake-environment.js';
import { SALT } from './fake-socket.js';

type Fields<M> = Omit<M, '$typeName' | '$unknown'>;
export type EventInit = Partial<Fields<Event>>;
export type SliceInit = Partial<Fields<Slice>>;

export const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** A state of `key` in partition 85 at `sequence`; its stamp follows from the sequence. */
export function put(key: string, sequence: number, more: EventInit = {}): Event {
  return create(EventSchema, {
    kind: EventKind.PUT,
    partition: 85,
    sequence: BigInt(sequence),
    key,
    value: utf8(`{"n":${sequence}}`),
    valueKind: ValueKind.JSON,
    stamp: packStamp(5_000_000, sequence),
    node: 9,
    ...more,
  });
}

export function gone(key: string, sequence: number, more: EventInit = {}): Event {
  return put(key, sequence, { kind: EventKind.REMOVE, value: new Uint8Array(0), ...more });
}

export function changes(events: Event[], more: SliceInit = {}): SliceInit {
  const sequence = BigInt(Math.max(0, ...events.map((event) => Number(event.sequence))));
  const whole = { partition: 85, begins: true, ends: true };
  return { ...whole, kind: SliceKind.CHANGES, events, sequence, ...more };
}

/** All there is of partition 85. */
export function snapshot(events: Event[], more: SliceInit = {}): SliceInit {
  return { ...changes(events), kind: SliceKind.SNAPSHOT, ...more };
}

/** As a snapshot, where nothing was lost. */
export function renewal(events: Event[], more: SliceInit = {}): SliceInit {
  return { ...snapshot(events, more), kind: SliceKind.RENEWAL };
}

export function hashOf(key: string, salt: Uint8Array = SALT): bigint {
  const { low, high } = sipHash(utf8(key), salt);
  return (BigInt(high) << 32n) | BigInt(low);
}

export function live(
  environment: FakeEnvironment,
  subscriptionId: number,
  ...topics: number[]
): void {
  environment.socket.push({ case: 'subscribed', value: { subscriptionId, topics } });
}

export function events(environment: FakeEnvironment, topic: number, ...list: Event[]): void {
  environment.socket.push({ case: 'events', value: { topic, events: list } });
}

export function catchUp(
  environment: FakeEnvironment,
  subscriptionId: number,
  slices: SliceInit[],
  more: MessageInitShape<typeof CatchUpSchema> = { isDone: true },
): void {
  environment.socket.push({ case: 'catchUp', value: { subscriptionId, slices, ...more } });
}

export function progress(
  environment: FakeEnvironment,
  delivered: Record<number, number>,
  epoch = 7n,
): void {
  const sequences = Object.entries(delivered).map(([partition, sequence]) => ({
    partition: Number(partition),
    sequence: BigInt(sequence),
  }));
  environment.socket.push({ case: 'progress', value: { epoch, delivered: sequences } });
}

/** The subscriptions that the client has asked for on the present connection. */
export function asked(environment: FakeEnvironment): Subscribe[] {
  return environment.socket.bodies('subscribe').map((body) => body.value as Subscribe);
}
