import { StartFrom } from '@tidewire/schemas';
import fc from 'fast-check';
import { keysIn } from './partition-keys.js';
import type { Wish } from './reference-client.js';
import type { Matches } from './simulated-history.js';

/** What a history is made of: data alone, so that a failing one can be cut down and printed. */

export const MAP = 'users';
/** Several of one partition, so that they share its sequences and cursors. */
export const KEYS: readonly string[] = [3, 10, 100, 201].flatMap((partition) =>
  keysIn(partition, 5),
);
export const CLIENTS = 4;
export const WORKERS = 2;
const STEPS_MAX = 400;
/** Of lifetimes that end within a history. */
export const TTL_MS_SHORT_MAX = 3000;
const TTL_MS_LONG: number = 2 ** 40;
const RARE = 3;
const OFTEN = 70;

/** `age` undefined: removes the key. `ttlMs` 0: for ever. */
export interface Write {
  readonly key: string;
  readonly age: number | undefined;
  readonly ttlMs: number;
}

export interface Follow {
  readonly of: 'map' | 'key' | 'over' | 'upTo';
  readonly key: string;
  /** An age. */
  readonly limit: number;
  readonly start: StartFrom;
  /** Predicates only. */
  readonly withOld: boolean;
  readonly maxHz: number;
}

export type Action =
  | { readonly do: 'write'; readonly writes: readonly Write[] }
  /** Many writes, of long values. */
  | { readonly do: 'bulk'; readonly from: number }
  /** More changes than a journal holds. */
  | { readonly do: 'flood'; readonly from: number }
  | { readonly do: 'wait'; readonly ms: number }
  /** So long that tombstones may be collected. */
  | { readonly do: 'hours' }
  | { readonly do: 'follow'; readonly client: number; readonly follow: Follow }
  | { readonly do: 'unfollow'; readonly client: number; readonly nth: number }
  | { readonly do: 'disconnect' | 'connect' | 'stall'; readonly client: number }
  /** Some of what lies in the buffer; 0: all, and goes on reading. */
  | { readonly do: 'read'; readonly client: number; readonly bytes: number }
  /** A worker dies, and another one goes on in its place. */
  | { readonly do: 'worker'; readonly worker: number }
  /** The database takes in what some partitions have changed, and collects what workers propose. */
  | { readonly do: 'flush'; readonly share: number; readonly keeps: boolean }
  /** The server is stopped in order, or by kill -9, and another one starts on its database. */
  | { readonly do: 'stop' | 'kill' };

/** An action, and the turns that everyone takes after it; what the last one is to send may wait. */
export interface Step {
  readonly action: Action;
  readonly turns: number;
  readonly isUnsent: boolean;
}

const client: fc.Arbitrary<number> = fc.nat(CLIENTS - 1);
const key: fc.Arbitrary<string> = fc.constantFrom(...KEYS);
const age: fc.Arbitrary<number> = fc.nat(99);

const write: fc.Arbitrary<Write> = fc.record({
  key,
  age: fc.option(age, { nil: undefined, freq: 4 }),
  ttlMs: fc.oneof(
    { arbitrary: fc.constantFrom(0, TTL_MS_LONG), weight: 3 },
    { arbitrary: fc.integer({ min: 50, max: TTL_MS_SHORT_MAX }), weight: 1 },
  ),
});

const follow: fc.Arbitrary<Follow> = fc.record({
  of: fc.constantFrom('map', 'key', 'over', 'upTo'),
  key,
  limit: fc.constantFrom(20, 50, 80),
  start: fc.constantFrom(StartFrom.SNAPSHOT, StartFrom.SNAPSHOT, StartFrom.SNAPSHOT, StartFrom.NOW),
  withOld: fc.boolean(),
  maxHz: fc.constantFrom(0, 0, 0, 1, 5, 50),
});

const does = <D extends Action['do'], M extends object>(
  name: D,
  more: { [K in keyof M]: fc.Arbitrary<M[K]> },
): fc.Arbitrary<{ do: D } & M> =>
  fc.record({ do: fc.constant(name), ...more }) as unknown as fc.Arbitrary<{ do: D } & M>;

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: OFTEN, arbitrary: does('write', { writes: fc.array(write, { maxLength: 8 }) }) },
  { weight: 6, arbitrary: does('bulk', { from: fc.nat(KEYS.length - 1) }) },
  { weight: 1, arbitrary: does('flood', { from: fc.nat(KEYS.length - 1) }) },
  { weight: 30, arbitrary: does('wait', { ms: fc.integer({ min: 10, max: 400 }) }) },
  { weight: 5, arbitrary: does('hours', {}) },
  { weight: 20, arbitrary: does('follow', { client, follow }) },
  { weight: 10, arbitrary: does('unfollow', { client, nth: fc.nat(5) }) },
  { weight: 12, arbitrary: does('disconnect', { client }) },
  { weight: 18, arbitrary: does('connect', { client }) },
  { weight: 10, arbitrary: does('stall', { client }) },
  {
    weight: 18,
    arbitrary: does('read', { client, bytes: fc.oneof(fc.constant(0), fc.nat(300_000)) }),
  },
  { weight: RARE, arbitrary: does('worker', { worker: fc.nat(WORKERS - 1) }) },
  { weight: 12, arbitrary: does('flush', { share: fc.nat(100), keeps: fc.boolean() }) },
  { weight: 1, arbitrary: does('stop', {}) },
  { weight: 2, arbitrary: does('kill', {}) },
);

/** Histories of up to STEPS_MAX steps; a failing one shrinks by steps, and by what they say. */
export const anyHistory: fc.Arbitrary<Step[]> = fc.array(
  fc.record({ action, turns: fc.nat(3), isUnsent: fc.boolean() }),
  { maxLength: STEPS_MAX, size: 'max' },
);

export function ageOf(value: string): number {
  return JSON.parse(value).age;
}

/** What the subscription is asked for with, and what belongs to it. */
export function wishOf(follow: Follow): { wish: Wish; matches: Matches } {
  const { start, maxHz, limit, withOld } = follow;
  const common = { map: MAP, start, maxHz };
  const field = { steps: [{ step: { case: 'name' as const, value: 'age' } }] };
  const literal = { literal: { case: 'number' as const, value: limit } };
  const over = { test: { case: 'gt' as const, value: { field, literal } } };
  const upTo = { test: { case: 'not' as const, value: over } };
  switch (follow.of) {
    case 'map':
      return { wish: common, matches: () => true };
    case 'key':
      return { wish: { ...common, key: follow.key }, matches: (key) => key === follow.key };
    case 'over':
      return {
        wish: { ...common, where: over, withOld },
        matches: (_, value) => ageOf(value) > limit,
      };
    case 'upTo':
      return {
        wish: { ...common, where: upTo, withOld },
        matches: (_, value) => ageOf(value) <= limit,
      };
  }
}
