import { compilePredicate, NOT_JSON, type Predicate, sipHash } from '@tidewire/core';
import { RecordLayout } from '@tidewire/core/threads';
import t from 'tap';
import { ABSENT } from '#lib/store/record-store.js';
import { randomFrom } from './store-fixture.js';
import { type CatchUpEntry, keysIn, partitionOfKey, SALT, StreamBench } from './stream-bench.js';
import { type Held, SubscriberView } from './subscriber-view.js';
import { MAP_ID, START_MS } from './worker-fixture.js';

const SEED = Number(process.env['SEED'] ?? 20260611);
const RUNS = process.env['TIDEWIRE_LONG_TESTS'] === undefined ? 80 : 1000;
const PARTITIONS = [5, 6];
const FEW_KEYS = PARTITIONS.flatMap((partition) => keysIn(partition, 20));
const MANY_KEYS = PARTITIONS.flatMap((partition) => keysIn(partition, 1500));
const LEVEL = { kind: 'value', steps: ['level'] } as const;

/** Topic → its predicate; undefined: the whole map. */
const TOPICS: readonly (Predicate | undefined)[] = [
  undefined,
  { kind: 'ge', field: LEVEL, literal: 5 },
  { kind: 'not', predicate: { kind: 'eq', field: LEVEL, literal: 3 } },
];

/** One change of a key; without a value: removed. */
interface Change {
  readonly key: string;
  readonly sequence: number;
  readonly value: string | undefined;
  readonly expiresAt: number;
}

/** A subscriber, and the stream by which it is caught up. */
interface Subscriber {
  readonly view: SubscriberView;
  readonly where: Predicate | undefined;
  readonly stream: number;
  readonly from: string;
}

/** One history: writes, a subscriber away for a part of it, and its catch-up between further writes. */
class Run {
  readonly #random: (below: number) => number;
  readonly #bench: StreamBench;
  readonly #keys: readonly string[];
  readonly #changes: Change[] = [];
  readonly #subscribers: Subscriber[] = [];

  constructor(random: (below: number) => number) {
    this.#random = random;
    this.#bench = new StreamBench(random(2) === 0 ? 16 : 64);
    this.#keys = random(6) === 0 ? MANY_KEYS : FEW_KEYS;
    for (const [i, where] of TOPICS.entries())
      this.#bench.subscribe(i + 1, where === undefined ? {} : { where, isWithOld: i === 2 });
  }

  /** What is wrong at the end; empty: nothing. */
  play(): string[] {
    const length = this.#keys === MANY_KEYS ? 2000 : 160;
    for (let i = this.#random(length); i > 0; i--) this.#change();
    this.#bench.listen();
    for (let stream = 1; stream <= 4; stream++) this.#begin(stream);
    for (let i = 0; i < length; i++) this.#act();
    for (let i = 0; !this.#subscribers.every(({ view }) => view.isDone); i++) {
      if (i > 100_000) return ['the streams do not end'];
      this.#stream();
    }
    for (let i = 0; i < 50; i++) this.#change();
    this.#deliver();
    return this.#subscribers.flatMap((subscriber) => this.#faultsOf(subscriber));
  }

  #act(): void {
    if (this.#random(3) === 0) this.#stream();
    else this.#change();
    if (this.#random(2) === 0) this.#deliver();
  }

  /** Credit for some stream, and a step of one that has some. */
  #stream(): void {
    const credit = 1 + this.#random(this.#keys === MANY_KEYS ? 20_000 : 300);
    this.#bench.streams.addCredit(1 + this.#random(4), credit);
    this.#bench.streams.doWork();
    this.#deliver();
  }

  #deliver(): void {
    for (const said of this.#bench.listen())
      for (const { view } of this.#subscribers) view.take(said);
  }

  #change(): void {
    const key = this.#keys[this.#random(this.#keys.length)];
    if (this.#random(4) === 0) return this.#collect(key);
    const isRemove = this.#random(3) === 0;
    const value = isRemove ? undefined : this.#value();
    const expiresAt = this.#random(8) === 0 && !isRemove ? START_MS + this.#random(2) : 0;
    if (value === undefined) this.#bench.remove(key);
    else this.#bench.put(key, value, { expiresAt });
    const sequence = this.#bench.store.sequence(partitionOfKey(key));
    this.#changes.push({ key, sequence, value, expiresAt });
    if (this.#random(4) === 0) this.#bench.put(key, 'in another map', { mapId: MAP_ID + 1 });
    this.#deliver();
  }

  #value(): string {
    const level = this.#random(12);
    return level === 11 ? 'not JSON' : JSON.stringify({ level, filling: 'x'.repeat(level * 9) });
  }

  #collect(key: string): void {
    const record = this.#bench.recordOf(key);
    if (record === ABSENT || !RecordLayout.isTombstone(this.#bench.store.words, record)) return;
    this.#bench.collect(key);
  }

  #begin(stream: number): void {
    const topic = 1 + this.#random(TOPICS.length);
    const where = TOPICS[topic - 1];
    const entries = PARTITIONS.map((partition): CatchUpEntry => {
      if (this.#random(4) === 0) return { partition };
      return { partition, cursor: this.#random(this.#bench.store.sequence(partition) + 1) };
    });
    const held = entries.flatMap(({ partition, cursor }) => [
      ...this.#heldAt(partition, cursor ?? this.#random(1000), where),
    ]);
    const view = new SubscriberView({ topic, stream, held, hash: hashOfKey });
    const from = JSON.stringify({ topic, entries });
    this.#subscribers.push({ view, where, stream, from });
    this.#bench.catchUp(stream, topic, entries, this.#random(300));
  }

  /** What a subscriber had of a partition when it was told everything up to `cursor`. */
  #heldAt(partition: number, cursor: number, where: Predicate | undefined): Map<string, Held> {
    const held = new Map<string, Held>();
    for (const { key, sequence, value, expiresAt } of this.#changes) {
      if (partitionOfKey(key) !== partition || sequence > cursor) continue;
      if (value === undefined || !isIn(where, key, value, expiresAt)) held.delete(key);
      else held.set(key, { sequence, value, expiresAt });
    }
    return held;
  }

  #faultsOf({ view, where, stream, from }: Subscriber): string[] {
    const wanted = new Map(
      PARTITIONS.flatMap((partition) => [
        ...this.#heldAt(partition, Number.POSITIVE_INFINITY, where),
      ]),
    );
    const name = `stream ${stream} ${from}`;
    const faults: string[] = [];
    for (const [key, { sequence, value }] of wanted) {
      const held = view.held.get(key);
      if (held?.sequence !== sequence || held.value !== value)
        faults.push(`${name}: ${key} is ${held?.sequence}, not ${sequence}`);
    }
    for (const [key, { expiresAt, sequence }] of view.held)
      if (!wanted.has(key) && (expiresAt === 0 || expiresAt > START_MS))
        faults.push(`${name}: ${key} of ${sequence} is held`);
    return faults;
  }
}

function isIn(where: Predicate | undefined, key: string, text: string, expiresAt: number): boolean {
  if (expiresAt !== 0 && expiresAt <= START_MS) return false;
  if (where === undefined) return true;
  const value: unknown = text.startsWith('{') ? JSON.parse(text) : NOT_JSON;
  return compilePredicate(where)({ key, stampMs: START_MS, value });
}

function hashOfKey(key: string): bigint {
  const { low, high } = sipHash(Buffer.from(key), new Uint8Array(SALT.buffer));
  return (BigInt(high) << 32n) | BigInt(low);
}

t.test(
  'CATCH-19: whatever happens while streams run, each subscriber ends with what stands',
  async (t) => {
    console.log(`# seed ${SEED}`);
    for (let run = 0; run < RUNS; run++) {
      const faults = new Run(randomFrom(SEED + run * 7919)).play();
      if (faults.length > 0) t.fail(`run ${run}: ${faults.slice(0, 5).join('; ')}`);
    }
    t.pass(`${RUNS} runs`);
  },
);
