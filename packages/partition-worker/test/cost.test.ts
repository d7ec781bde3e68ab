import type { Predicate } from '@tidewire/core';
import { loadWatermark, RequestKind, STREAM_LAST, WorkerControl } from '@tidewire/core/threads';
import { OperationKind } from '@tidewire/schemas';
import t from 'tap';
import { Worker } from '#lib/worker.js';
import { keysIn, StreamBench } from './stream-bench.js';
import { doorbells, FakeGateway, MAP_ID, smallMemory, subscribeWords } from './worker-fixture.js';

const [KEY] = keysIn(5, 1);
const STREAM = 4;
const TOPIC = 6;

/** Found by an index, and tried at each change of what has a = 1. */
function tried(i: number): Predicate {
  const [a, b] = ['a', 'b'].map((name) => ({ kind: 'value', steps: [name] }) as const);
  const predicates: Predicate[] = [
    { kind: 'eq', field: a, literal: 1 },
    { kind: 'like', field: b, text: `%_${i}%` },
  ];
  return { kind: 'all', predicates };
}

/** A clock on which a minute passes between two looks. */
function slowClock(): () => number {
  let ms = 0;
  return () => {
    ms += 60_000;
    return ms;
  };
}

function start(predicates: number): {
  gateway: FakeGateway;
  worker: Worker;
  count: (word: number) => number;
  total: (word: number) => number;
} {
  const memory = smallMemory();
  const gateway = new FakeGateway(memory);
  gateway.introduce(1, []);
  const worker = new Worker(memory, doorbells(), 1, [], slowClock());
  for (let i = 1; i <= predicates; i++) {
    const where = tried(i);
    gateway.request(RequestKind.SUBSCRIBE, subscribeWords({ topic: i, where }));
  }
  while (worker.doWork() > 0) gateway.listen();
  const control = new Int32Array(memory.control);
  const total = (word: number): number => loadWatermark(control, word);
  return { gateway, worker, count: (word) => control[word], total };
}

function put(gateway: FakeGateway, ms: number, mapId: number): void {
  const value = '{"a":1,"b":"x"}';
  gateway.send(ms, { kind: OperationKind.PUT, key: KEY, value, ms, mapId });
}

t.test('COST-1: a change that very many predicates are tried at shows signs of life', async (t) => {
  const beats = [10, 1000].map((predicates) => {
    const { gateway, worker, count } = start(predicates);
    put(gateway, 1, MAP_ID);
    const before = count(WorkerControl.HEARTBEAT);
    worker.doWork();
    return count(WorkerControl.HEARTBEAT) - before;
  });
  t.equal(beats[0], 1, 'one a turn');
  t.equal(beats[1], 1 + Math.floor(1000 / 32), 'one every 32 tries');
});

t.test('COST-1: so does one that the next worker tells again', async (t) => {
  const predicates = 100;
  const { gateway, worker, count } = start(predicates);
  const requests = new Int32Array(gateway.memory.requestRing);
  put(gateway, 1, MAP_ID);
  const unread = requests.slice();
  worker.doWork();
  requests.set(unread); // it died before the request was given back
  const next = new Worker(gateway.memory, doorbells(), 2, [], slowClock());
  const interests = Array.from({ length: predicates }, (_, i) => ({
    topic: i + 1,
    where: tried(i + 1),
  }));
  gateway.introduce(2, interests);
  const before = count(WorkerControl.HEARTBEAT);
  next.doWork();
  t.equal(count(WorkerControl.HEARTBEAT) - before, 1 + Math.floor(predicates / 32));
});

t.test(
  'COST-2: a turn that has taken long ends, with predicates behind any operation',
  async (t) => {
    for (const [mapId, most] of [
      [MAP_ID, 1],
      [MAP_ID + 1, 16],
    ]) {
      const { gateway, worker } = start(1);
      for (let ms = 1; ms <= 40; ms++) put(gateway, ms, mapId);
      const heard: number[] = [];
      while (worker.doWork() > 0) {
        const before = gateway.heard.length;
        gateway.listen();
        const results = gateway.heard.slice(before).filter((text) => text.startsWith('result'));
        heard.push(results.length);
      }
      t.equal(Math.max(...heard), most);
      t.equal(
        heard.reduce((sum, results) => sum + results),
        40,
        'all are answered',
      );
    }
  },
);

t.test('COST-3: a step of a query or a catch-up that has taken long ends', async (t) => {
  const bench = new StreamBench(undefined, undefined, slowClock());
  const keys = keysIn(5, 20);
  for (const key of keys) bench.put(key, '{"a":1,"b":"x"}');
  bench.subscribe(TOPIC, { where: tried(1) });
  bench.listen();
  const steps = (): number => {
    let count = 0;
    for (; bench.streams.doWork() > 0; count++);
    return count;
  };
  bench.query(STREAM, { where: tried(1) });
  t.ok(steps() >= keys.length, 'a query tries one record a step');
  t.match(bench.listen(), [{ kind: 'rows', flags: STREAM_LAST, count: 0 }]);
  bench.catchUp(STREAM, TOPIC, []);
  t.ok(steps() >= keys.length, 'so does a catch-up');
  bench.query(STREAM, {});
  t.ok(steps() < keys.length, 'without a predicate a step is short');
});

t.test('INDEX-20: a worker publishes what its predicates cost', async (t) => {
  const { gateway, worker, count, total } = start(3);
  const linear: Predicate = { kind: 'not', predicate: tried(9) };
  gateway.request(RequestKind.SUBSCRIBE, subscribeWords({ topic: 9, where: linear }));
  for (const ms of [1, 2]) put(gateway, ms, MAP_ID);
  while (worker.doWork() > 0);
  t.equal(count(WorkerControl.PREDICATES_LINEAR), 1);
  t.equal(total(WorkerControl.PREDICATES_FOUND), 8);
  t.equal(total(WorkerControl.PREDICATES_CONCERNED), 2, 'the one that is linear');
});
