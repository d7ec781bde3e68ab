import { performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { Code, RESTARTS_FRUITLESS_MAX, WORKER_HANG_MS } from '@tidewire/core';
import { Doorbell, GATEWAY_DOORBELL, RequestKind, type SharedMemory } from '@tidewire/core/threads';
import { OperationKind } from '@tidewire/schemas';
import t from 'tap';
import { type WorkerDown, WorkerThreads } from '#lib/worker-threads.js';
import { doorbells, FakeGateway, saysOutcome, smallMemory } from './worker-fixture.js';

const TOPIC = 4;
const REAL_TIME = {
  nowMs: () => performance.now(),
  wait: async (ms: number) => void (await wait(ms)),
};

function poolMemory(): SharedMemory {
  return { workers: [smallMemory()], mapTable: new SharedArrayBuffer(8), doorbells: doorbells() };
}

/** Waits until the gateway has heard `count` things. */
async function hear(memory: SharedMemory, gateway: FakeGateway, count: number): Promise<void> {
  const doorbell = new Doorbell(new Int32Array(memory.doorbells), GATEWAY_DOORBELL);
  for (;;) {
    gateway.listen();
    if (gateway.heard.length >= count) return;
    await doorbell.sleepAsync(() => gateway.hasNews(), 1000);
  }
}

t.test('POOL-1: a worker that dies is started again and goes on where it was', async (t) => {
  const memory = poolMemory();
  const gateway = new FakeGateway(memory.workers[0]);
  const requests = new Int32Array(memory.workers[0].requestRing);
  const starts: number[] = [];
  const deaths: boolean[] = [];
  gateway.send(1, { kind: OperationKind.PUT, key: 'a', value: 'one', ms: 1 });
  const poison = gateway.sendPoison();
  gateway.send(2, { kind: OperationKind.PUT, key: 'b', value: 'two', ms: 2 });
  gateway.send(3, { kind: OperationKind.GET, key: 'a', ms: 3 });
  const pool = new WorkerThreads({
    memory,
    onStart: (_worker, start) => {
      starts.push(start);
      gateway.introduce(start, [{ topic: TOPIC, key: '' }]);
    },
    ...REAL_TIME,
    onDown: ({ isGivenUp }) => {
      deaths.push(isGivenUp);
      requests[poison] = RequestKind.UNSUBSCRIBE; // harmless from now on
    },
  });
  t.teardown(() => pool.stop());
  await hear(memory, gateway, 5);
  t.same(starts, [1, 2]);
  t.same(deaths, [false]);
  const [first, firstEvent, second, secondEvent, read] = gateway.heard;
  t.ok(saysOutcome(first, Code.APPLIED));
  t.match(firstEvent, /^event PUT 4 /);
  t.ok(saysOutcome(second, Code.APPLIED));
  t.match(secondEvent, /^event PUT 4 /);
  t.ok(saysOutcome(read, Code.FOUND));
});

t.test(
  'POOL-2: a worker that dies again and again without getting anything done is given up',
  async (t) => {
    const memory = poolMemory();
    const gateway = new FakeGateway(memory.workers[0]);
    gateway.sendPoison();
    const deaths: boolean[] = [];
    const waits: number[] = [];
    let pool: WorkerThreads | undefined;
    await new Promise<void>((resolve) => {
      pool = new WorkerThreads({
        memory,
        onStart: (_worker, start) => gateway.introduce(start, []),
        nowMs: () => 0,
        wait: async (ms) => void waits.push(ms),
        onDown: ({ cause, isGivenUp, poison }) => {
          t.match(cause, /unknown kind/);
          t.equal(poison, undefined, 'no operation is to blame');
          deaths.push(isGivenUp);
          if (isGivenUp) resolve();
        },
      });
    });
    t.same(deaths, [...Array(RESTARTS_FRUITLESS_MAX).fill(false), true]);
    t.same(waits, [10, 20, 40, 80, 160, 320], 'the first two starts come at once');
    await pool?.stop();
  },
);

/** Kills a worker at once and again, by a request that is no operation; what it is told before is done. */
async function killAgain(
  before: (gateway: FakeGateway, start: number) => void,
  deathsMax: number,
): Promise<{ pool: WorkerThreads; waits: number[]; deaths: boolean[] }> {
  const memory = poolMemory();
  const gateway = new FakeGateway(memory.workers[0]);
  const requests = new Int32Array(memory.workers[0].requestRing);
  const deaths: boolean[] = [];
  const waits: number[] = [];
  let poison = 0;
  let pool: WorkerThreads | undefined;
  await new Promise<void>((resolve) => {
    pool = new WorkerThreads({
      memory,
      onStart: (_worker, start) => {
        gateway.listen();
        before(gateway, start);
        poison = gateway.sendPoison();
        gateway.introduce(start, []);
      },
      nowMs: () => 0,
      wait: async (ms) => void waits.push(ms),
      onDown: ({ isGivenUp }) => {
        requests[poison] = RequestKind.UNSUBSCRIBE; // harmless from now on
        deaths.push(isGivenUp);
        if (isGivenUp || deaths.length === deathsMax) resolve();
      },
    });
  });
  return { pool: pool!, waits, deaths };
}

t.test('POOL-14: ticks and other requests are no work done', async (t) => {
  const { pool, deaths } = await killAgain((gateway, start) => gateway.tick(start), 100);
  t.same(deaths, [...Array(RESTARTS_FRUITLESS_MAX).fill(false), true], 'it is given up');
  await pool.stop();
});

t.test('POOL-12: pauses grow also where operations are executed before each death', async (t) => {
  const put = (gateway: FakeGateway, start: number): void =>
    gateway.send(start, { kind: OperationKind.PUT, key: 'a', value: '1', ms: start });
  const { pool, deaths, waits } = await killAgain(put, 12);
  t.same(deaths, Array(12).fill(false), 'it is not given up');
  t.same(waits.slice(0, 9), [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
  await pool.stop();
});

t.test('POOL-3: a worker that takes no turn for too long is ended and replaced', async (t) => {
  const memory = poolMemory();
  const gateway = new FakeGateway(memory.workers[0]);
  let nowMs = 0;
  const downs: WorkerDown[] = [];
  const starts: number[] = [];
  const pool = new WorkerThreads({
    memory,
    nowMs: () => nowMs,
    wait: async () => {},
    onStart: (_worker, start) => {
      starts.push(start);
      gateway.introduce(start, []);
    },
    onDown: (down) => downs.push(down),
  });
  t.teardown(() => pool.stop());
  gateway.send(1, { kind: OperationKind.PUT, key: 'a', value: 'one', ms: 1 });
  await hear(memory, gateway, 1);
  for (let attempt = 0; downs.length === 0 && attempt < 1000; attempt++) {
    pool.checkHangs(); // sees the present heartbeat
    nowMs += WORKER_HANG_MS;
    pool.checkHangs(); // and, unless it beat just now, the same one too long after
    await wait(0);
  }
  t.match(downs, [{ worker: 0, isHung: true, isGivenUp: false, poison: undefined }]);
  gateway.send(2, { kind: OperationKind.GET, key: 'a', ms: 3 });
  gateway.wake();
  await hear(memory, gateway, 2);
  t.same(starts, [1, 2]);
  t.ok(saysOutcome(gateway.heard[1], Code.FOUND), 'its successor has its records');
});
