import assert from 'node:assert/strict';
import { Code } from '@tidewire/core';
import type { Event, Result } from '@tidewire/schemas';
import type { TestBench } from './bench.js';
import { put, remove, write } from './operations.js';
import { ReferenceClient } from './reference-client.js';
import {
  type Action,
  CLIENTS,
  type Follow,
  KEYS,
  MAP,
  type Step,
  TTL_MS_SHORT_MAX,
  WORKERS,
  type Write,
  wishOf,
} from './simulated-actions.js';
import { changeOf, SimulatedHistory } from './simulated-history.js';
import { SimulatedServer } from './simulated-server.js';
import { ViewChecks } from './view-checks.js';

const PENDING_MAX = 400;
const FOLLOWED_MAX = 6;
const BULK = { writes: 120, padding: 6000 };
const FLOOD = { frames: 12, writes: 200, padding: 0 };
const PARTITION_FACTOR = 37;

/** A write that has been sent. */
interface Pending {
  readonly key: string;
  readonly value: string | undefined;
}

/**
 * A server with its database, a writer and clients that come and go, stepped by a history; every
 * view is checked, against a plain map that is searched through each time. What the writer was
 * answered is the truth; that it hears of each change in turn, and of no other, is checked too.
 */
export class SimulatedWorld {
  readonly server: SimulatedServer = new SimulatedServer(MAP, WORKERS);
  readonly clients: readonly ReferenceClient[];
  readonly history: SimulatedHistory = new SimulatedHistory();
  /** What has happened, to know that it does. */
  readonly seen = { kills: 0, stops: 0, expiries: 0, collected: 0, olds: 0, lags: 0, catchUps: 0 };
  #taken = 0;
  #lastId = 0;
  #values = 0;
  readonly #pending: Map<number, Pending> = new Map();
  /** Answered, and not heard yet. */
  readonly #answered: Map<string, Pending> = new Map();
  readonly #connected: Set<ReferenceClient> = new Set();
  readonly #checks: ViewChecks = new ViewChecks(this.history);

  constructor() {
    this.clients = Array.from({ length: CLIENTS }, (_, i) => {
      const client = new ReferenceClient(this.bench, i + 2);
      client.onProgress = (delivered) =>
        this.#checks.onProgress(client, { delivered, nowMs: this.bench.nowMs });
      client.onEvent = (one, event) => this.#checks.onEvent(one, event);
      this.#connected.add(client);
      return client;
    });
  }

  get bench(): TestBench {
    return this.server.bench;
  }

  step({ action, turns, isUnsent }: Step): void {
    this.#do(action);
    for (let i = 0; i < turns; i++) this.#turn();
    if (isUnsent) this.bench.turnUnsent();
  }

  /** Lets everybody read to the end, and compares every view with what stands. */
  converge(): void {
    for (const client of this.clients) {
      this.#connect(client);
      client.connection.isStalled = false;
      client.connection.read();
    }
    this.bench.nowMs += TTL_MS_SHORT_MAX;
    this.bench.settle();
    this.bench.second();
    this.bench.second();
    this.#take();
    assert.equal(this.#answered.size, 0, 'a change was answered of which nobody was told');
    for (const client of this.clients) {
      assert.ok(!client.isLagging, 'a client lags that has read everything');
      for (const one of client.followed.values()) this.#checks.atEnd(one, this.bench.nowMs);
    }
  }

  /** Everybody leaves; nothing may be left behind. */
  close(): void {
    for (const client of this.clients) this.#disconnect(client);
    this.server.writer.close(1000);
    this.bench.settle();
    const { topics, lagging, catchingUp } = this.bench.gateway.subscriptionCounts;
    assert.deepEqual({ topics, lagging, catchingUp }, { topics: 0, lagging: 0, catchingUp: 0 });
    this.#count();
    this.seen.collected = this.server.database.forgotten;
    this.seen.olds = this.#checks.olds;
  }

  #do(action: Action): void {
    switch (action.do) {
      case 'write':
        return this.#write(action.writes, 0);
      case 'bulk':
        return this.#write(regularWrites(action.from, BULK.writes), BULK.padding);
      case 'flood':
        return this.#flood(action.from);
      case 'wait':
        this.bench.nowMs += action.ms;
        return;
      case 'hours':
        return this.server.passHours(() => this.#take());
      case 'follow':
        return this.#follow(this.clients[action.client], action.follow);
      case 'unfollow':
        return this.#unfollow(this.clients[action.client], action.nth);
      case 'disconnect':
        return this.#disconnect(this.clients[action.client]);
      case 'connect':
        return this.#connect(this.clients[action.client]);
      case 'stall':
        this.clients[action.client].connection.isStalled = true;
        return;
      case 'read':
        return this.#read(this.clients[action.client], action.bytes);
      case 'worker':
        return this.bench.startWorker(action.worker);
      case 'flush':
        return this.#flush(action.share, action.keeps);
      case 'stop':
        return this.#stop();
      case 'kill':
        return this.#kill();
    }
  }

  #turn(): void {
    this.bench.turn();
    this.#take();
  }

  #take(): void {
    this.#listen();
    for (const client of this.clients) client.take();
  }

  /** Before anybody else takes an event: the writer, whose topic may not have been flushed yet. */
  #listen(): void {
    this.bench.gateway.flush();
    const { frames } = this.server.writer;
    while (this.#taken < frames.length) {
      const { body } = frames[this.#taken++];
      if (body.case === 'results') for (const result of body.value.results) this.#onResult(result);
      if (body.case === 'events') for (const event of body.value.events) this.#onEvent(event);
    }
  }

  #onResult({ requestId, outcome, partition, sequence }: Result): void {
    const pending = this.#pending.get(requestId) as Pending;
    this.#pending.delete(requestId);
    if (outcome === Code.APPLIED) this.#answered.set(`${partition}/${sequence}`, pending);
  }

  /** What was answered, or the end of a lifetime. */
  #onEvent(event: Event): void {
    const change = changeOf(event);
    const { key, value, partition, sequence } = change;
    const name = `${partition}/${sequence}`;
    const written = this.#answered.get(name);
    if (written !== undefined) assert.deepEqual({ key, value }, written);
    else {
      const ended = this.history.latest(key)?.expiresAtMs ?? 0;
      assert.ok(value === undefined && ended > 0 && ended <= this.bench.nowMs, `${name}: ${key}`);
      this.seen.expiries++;
    }
    this.#answered.delete(name);
    this.history.add(change);
  }

  #write(writes: readonly Write[], padding: number): void {
    while (this.#pending.size > PENDING_MAX) this.#turn();
    write(this.server.writer, ...writes.map((each) => this.#operationOf(each, padding)));
  }

  #operationOf({ key, age, ttlMs }: Write, padding: number): object {
    const fields = { n: ++this.#values, age, pad: 'x'.repeat(padding) };
    const value = age === undefined ? undefined : JSON.stringify(fields);
    const operation =
      value === undefined ? remove(key, MAP) : put(key, value, { map: MAP, ttlMs: BigInt(ttlMs) });
    this.#pending.set((operation as { requestId: number }).requestId, { key, value });
    return operation;
  }

  #flood(from: number): void {
    for (let i = 0; i < FLOOD.frames; i++) {
      this.#write(regularWrites(from + i, FLOOD.writes), FLOOD.padding);
      while (this.#pending.size > 0) this.#turn();
    }
  }

  #follow(client: ReferenceClient, follow: Follow): void {
    if (!this.#connected.has(client) || client.followed.size >= FOLLOWED_MAX) return;
    const { wish, matches } = wishOf(follow);
    this.#checks.matches.set(client.follow(++this.#lastId, wish), matches);
  }

  #unfollow(client: ReferenceClient, nth: number): void {
    this.#listen();
    const ids = [...client.followed.keys()];
    if (nth < ids.length && this.#connected.has(client)) client.unfollow(ids[nth]);
  }

  #disconnect(client: ReferenceClient): void {
    this.#listen();
    if (this.#connected.delete(client)) client.disconnect();
  }

  /** One that was closed for its slowness comes back as any other. */
  #connect(client: ReferenceClient): void {
    if (client.connection.closedWith !== undefined) this.#disconnect(client);
    if (this.#connected.has(client)) return;
    this.#connected.add(client);
    client.connect(this.bench);
  }

  #read(client: ReferenceClient, bytes: number): void {
    if (!this.#connected.has(client)) return;
    client.connection.read(bytes === 0 ? Number.POSITIVE_INFINITY : bytes);
    if (bytes === 0) client.connection.isStalled = false;
  }

  #flush(share: number, keeps: boolean): void {
    const isWanted = (partition: number): boolean => (partition * PARTITION_FACTOR) % 100 <= share;
    this.server.flush(isWanted, keeps);
    this.server.database.collect(this.bench, keeps);
  }

  #stop(): void {
    this.seen.stops++;
    while (this.#pending.size > 0) this.#turn();
    this.bench.settle();
    this.#listen();
    this.server.flush();
    this.#startAnew();
  }

  /** What was not in the database is lost, with what was under way. */
  #kill(): void {
    this.seen.kills++;
    this.#startAnew();
  }

  #startAnew(): void {
    for (const client of this.clients) this.#disconnect(client);
    this.#count();
    this.#pending.clear();
    this.#answered.clear();
    this.history.loseAbove(this.server.database.flushed);
    this.server.startAnew();
    this.#taken = this.server.writer.frames.length;
  }

  #count(): void {
    const { lags, catchUps } = this.bench.gateway.subscriptionCounts;
    this.seen.lags += lags;
    this.seen.catchUps += catchUps;
  }
}

/** Every fifth removes its key. */
function regularWrites(from: number, count: number): Write[] {
  return Array.from({ length: count }, (_, i) => ({
    key: KEYS[(from + i * 7) % KEYS.length],
    age: i % 5 === 4 ? undefined : (from + i * 37) % 100,
    ttlMs: 0,
  }));
}
