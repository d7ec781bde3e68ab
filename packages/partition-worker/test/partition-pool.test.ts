import { Code } from '@tidewire/core';
import { Doorbell, GATEWAY_DOORBELL, RequestKind, type SharedMemory } from '@tidewire/core/threads';
import { OperationKind } from '@tidewire/schemas';
import t from 'tap';
import { PartitionPool } from '#lib/partition-pool.js';
import { doorbells, FakeGateway, saysOutcome, smallMemory } from './worker-fixture.js';

const TOPIC = 4;

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
  const pool = new PartitionPool({
    memory,
    onStart: (_worker, start) => {
      starts.push(start);
      gateway.introduce(start, [{ topic: TOPIC, key: '' }]);
    },
    onDown: (_worker, _cause, isGivenUp) => {
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
    let pool: PartitionPool | undefined;
    await new Promise<void>((resolve) => {
      pool = new PartitionPool({
        memory,
        onStart: (_worker, start) => gateway.introduce(start, []),
        onDown: (_worker, cause, isGivenUp) => {
          t.match(cause, /unknown kind/);
          deaths.push(isGivenUp);
          if (isGivenUp) resolve();
        },
      });
    });
    t.same(deaths, [false, false, true]);
    await pool?.stop();
  },
);
