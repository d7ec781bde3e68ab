import {
  BatchEnd,
  BatchKind,
  OPERATION_SAFE,
  OutboundKind,
  RESULT_WAITS,
  ResultMessage,
  RingConsumer,
  storeWord,
  WorkerControl,
  type WorkerMemory,
} from '@tidewire/core/threads';
import { OperationKind } from '@tidewire/schemas';
import t from 'tap';
import { Worker } from '#lib/worker.js';
import { doorbells, FakeGateway, MAP_ID, smallMemory } from './worker-fixture.js';

const OTHERS = [1, 2].map((above) => ({ mapId: MAP_ID + above, key: 'k' }));
const number = {
  name: 'number',
  run: (records: unknown) => (records as unknown[]).map((_, i) => ({ put: i })),
};

/** What persistence is handed in a batch of at most one record. */
function pullOne(
  memory: WorkerMemory,
  worker: Worker,
  pull: number,
): { records: number; laneHanded: number } {
  const control = new Int32Array(memory.control);
  control[WorkerControl.PULL_RECORDS] = 1;
  storeWord(control, WorkerControl.PULL_REQUESTED, pull);
  while (worker.doWork() > 0);
  const ring = new RingConsumer(memory.batchRing);
  let records = 0;
  let laneHanded = 0;
  while (ring.next())
    if (ring.kind === BatchKind.RECORD) records++;
    else laneHanded = ring.words[ring.index + BatchEnd.LANE_HANDED];
  ring.release();
  return { records, laneHanded };
}

/** The lane position that the first answer waits for. */
function awaited(memory: WorkerMemory): number {
  const ring = new RingConsumer(memory.outboundRing);
  while (ring.next()) {
    if (ring.kind !== OutboundKind.RESULT) continue;
    if (ring.words[ring.index + ResultMessage.WAITS] !== RESULT_WAITS) break;
    return ring.words[ring.index + ResultMessage.LANE_POSITION];
  }
  throw new Error('no answer waits');
}

t.test(
  'PROC-14: a batch may end within a group; a SAFE answer waits for all its records',
  async (t) => {
    const memory = smallMemory();
    const gateway = new FakeGateway(memory);
    gateway.introduce(1, []);
    const deed = { kind: OperationKind.EXECUTE, key: 'k', ms: 1, flags: OPERATION_SAFE };
    gateway.send(1, { ...deed, update: { keep: 0, others: OTHERS } });
    const worker = new Worker(memory, doorbells(), 1, [number]);
    while (worker.doWork() > 0);
    const position = awaited(memory);
    const batches = [1, 2, 3].map((pull) => pullOne(memory, worker, pull));
    t.same(
      batches.map(({ records }) => records),
      [1, 1, 1],
    );
    const reached = batches.map(({ laneHanded }) => laneHanded >= position);
    t.same(reached, [false, false, true], 'answered behind the last of them');
  },
);
