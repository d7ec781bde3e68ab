import {
  BatchEnd,
  BatchKind,
  RingConsumer,
  storeWord,
  WorkerControl,
} from '@tidewire/core/threads';
import { OperationKind } from '@tidewire/schemas';
import t from 'tap';
import { HandOver } from '#lib/hand-over.js';
import { Worker } from '#lib/worker.js';
import { doorbells, FakeGateway, smallMemory } from './worker-fixture.js';

const KEYS = ['a', 'b', 'c'];

t.test(
  'OUTAGE-21: what takes the place of a worker hands over all of it, and executes nothing',
  (t) => {
    const memory = smallMemory();
    const control = new Int32Array(memory.control);
    const gateway = new FakeGateway(memory);
    gateway.introduce(1, []);
    for (const [i, key] of KEYS.entries())
      gateway.send(i + 1, { kind: OperationKind.PUT, key, value: 'one', ms: i + 1 });
    const worker = new Worker(memory, doorbells(), 1);
    for (let idle = 0; idle < 2; ) idle = worker.doWork() === 0 ? idle + 1 : 0;
    gateway.listen();
    storeWord(control, WorkerControl.CHANGES, 1); // it has died before it counted the others
    gateway.send(9, { kind: OperationKind.PUT, key: 'd', value: 'one', ms: 9 });

    const handOver = new HandOver(memory, doorbells());
    t.equal(control[WorkerControl.CHANGES], KEYS.length);
    const heartbeat = control[WorkerControl.HEARTBEAT];
    control[WorkerControl.PULL_RECORDS] = 1000;
    storeWord(control, WorkerControl.PULL_REQUESTED, 1);
    for (let turn = 0; turn < 5; turn++) handOver.doWork();
    t.equal(control[WorkerControl.PULL_SERVED], 1);
    t.equal(control[WorkerControl.CHANGES_HANDED], KEYS.length);
    t.equal(control[WorkerControl.HEARTBEAT], heartbeat + 5, 'it is watched like the worker');
    const ring = new RingConsumer(memory.batchRing);
    const kinds: number[] = [];
    while (ring.next()) {
      kinds.push(ring.kind);
      if (ring.kind === BatchKind.END) t.equal(ring.words[ring.index + BatchEnd.MORE], 0);
    }
    t.same(kinds, [...KEYS.map(() => BatchKind.RECORD), BatchKind.END]);
    gateway.listen();
    t.equal(gateway.heard.length, KEYS.length, 'nobody is answered any more');
    t.notOk(handOver.isStopping);
    storeWord(control, WorkerControl.STOP, 1);
    t.ok(handOver.isStopping);
    t.end();
  },
);
