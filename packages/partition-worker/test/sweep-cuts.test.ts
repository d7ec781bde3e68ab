import { OPERATION_PRESENCE, RequestKind, type WorkerMemory } from '@tidewire/core/threads';
import { OperationKind } from '@tidewire/schemas';
import t from 'tap';
import { RecordStore, SCAN_END } from '#lib/store/record-store.js';
import { buildCut } from './cut/cut-build.js';
import { cutAt, diesIn, revive, stepsTaken } from './cut/cut-steps.js';
import { endPresenceWords } from './end-presence.js';
import { checkStore } from './store-check.js';
import { describe } from './store-fixture.js';
import {
  doorbells,
  FakeGateway,
  type Interest,
  type Sent,
  Snapshot,
  START_MS,
  smallMemory,
} from './worker-fixture.js';

const url = buildCut('sweep-cuts')('worker/worker.js');
const { Worker } = (await import(url)) as typeof import('#lib/worker.js');
type CutWorker = InstanceType<typeof Worker>;

/** Every n-th first cut is followed by a second one, in the worker that attaches. */
const SECOND_CUT_EVERY = process.env['TIDEWIRE_LONG_TESTS'] === undefined ? 5 : 1;
const INTERESTS = [
  { topic: 11 },
  { topic: 5, key: 'k' },
  { topic: 22, where: { kind: 'prefix', field: { kind: 'key' }, text: 'k' }, isWithOld: true },
] satisfies Interest[];
const put = (key: string, ms: number, more: Partial<Sent> = {}): Sent => ({
  kind: OperationKind.PUT,
  key,
  value: '"one"',
  ms,
  ...more,
});
const NOW = 100;
const presence = { flags: OPERATION_PRESENCE };
const over = { expiresAt: START_MS + NOW };

interface Scenario {
  readonly name: string;
  readonly before: readonly Sent[];
  /** Sent with the tick at which the sweep is due. */
  readonly operations: readonly Sent[];
  /** Presence records, put by node 1, whose client has gone: key and stamp. */
  readonly ends?: readonly (readonly [key: string, ms: number])[];
  /** What is broadcast, in any order: kind and topics. */
  readonly events: readonly string[];
}

const scenarios: Scenario[] = [
  {
    name: 'one record expires',
    before: [put('k', 1, over)],
    operations: [],
    events: ['LEAVE 22', 'REMOVE 11,5'],
  },
  {
    name: 'three expire, one does not, another is written',
    before: [put('k', 1, over), put('k2', 2, over), put('x', 3, over), put('stays', 4)],
    operations: [put('other', 5)],
    events: ['LEAVE 22', 'LEAVE 22', 'PUT 11', 'REMOVE 11', 'REMOVE 11', 'REMOVE 11,5'],
  },
  {
    name: 'a large record expires',
    before: [put('k', 1, { ...over, value: 'x'.repeat(9000) })],
    operations: [],
    events: ['LEAVE 22', 'REMOVE 11,5'],
  },
  {
    name: 'the record is overwritten in the same turn',
    before: [put('k', 1, over)],
    operations: [put('k', 2)],
    events: ['PUT 11,5', 'UPDATE 22'],
  },
  {
    name: 'the clients of three presence records have gone, of which one has been put again',
    before: [put('k', 1, presence), put('x', 2, presence), put('y', 3, presence)],
    operations: [put('y', 4, presence)],
    ends: [
      ['k', 1],
      ['x', 5],
      ['y', 3],
    ],
    events: ['LEAVE 22', 'PUT 11', 'REMOVE 11', 'REMOVE 11,5'],
  },
];

function work(worker: CutWorker): void {
  for (let idle = 0; idle < 2; ) idle = worker.doWork() === 0 ? idle + 1 : 0;
}

/** Every record but for its place. */
function stateOf(memory: WorkerMemory): string[] {
  const store = new RecordStore(memory.arena);
  checkStore(store);
  const records: string[] = [];
  for (let partition = 0; partition < 271; partition++)
    for (let at = 0; at < SCAN_END; )
      at = store.scanSlice(partition, at, (record) => records.push(describe(store.words, record)));
  return records.sort();
}

t.test(
  'LIFE-10: a worker that dies at any store has swept a record wholly or not at all, and every sweep is told once',
  async (t) => {
    for (const scenario of scenarios) {
      const memory = smallMemory();
      const bells = doorbells();
      const setup = new FakeGateway(memory);
      setup.introduce(1, INTERESTS);
      for (const [i, sent] of scenario.before.entries()) setup.send(i + 1, sent);
      work(new Worker(memory, bells, 1));
      setup.listen();
      for (const [i, sent] of scenario.operations.entries()) setup.send(50 + i, sent);
      for (const [key, ms] of scenario.ends ?? [])
        setup.request(RequestKind.END_PRESENCE, endPresenceWords(key, ms));
      const snapshot = new Snapshot(memory);
      const { answered } = setup;

      /** The same history again; with cuts, in up to three workers. Each is told the time. */
      const play = (cuts: readonly number[]): FakeGateway => {
        snapshot.restore();
        const gateway = new FakeGateway(memory, answered);
        let count = 2;
        for (const step of cuts) {
          gateway.introduce(count, INTERESTS);
          gateway.tick(NOW);
          cutAt(step);
          diesIn(() => work(new Worker(memory, bells, count)));
          revive();
          gateway.listen();
          count++;
        }
        gateway.introduce(count, INTERESTS);
        gateway.tick(NOW);
        work(new Worker(memory, bells, count));
        gateway.listen();
        return gateway;
      };

      revive();
      const whole = play([]).heard.toSorted();
      const steps = stepsTaken();
      const state = stateOf(memory);
      t.same(
        whole
          .filter((said) => said.startsWith('event'))
          .map((said) => said.split(' ').slice(1, 3).join(' '))
          .sort(),
        [...scenario.events],
        `${scenario.name}: events`,
      );
      let wrong = 0;
      for (let step = 0; step < steps; step++) {
        const cuts = step % SECOND_CUT_EVERY === 0 ? [step, (step * 31) % steps] : [step];
        const gateway = play(cuts);
        const isSame =
          gateway.heard.toSorted().join('\n') === whole.join('\n') &&
          stateOf(memory).join('\n') === state.join('\n');
        if (isSame && !gateway.hasUnread) continue;
        if (wrong++ > 0) continue;
        t.same(gateway.heard.toSorted(), whole, `${scenario.name}, cut at ${cuts.join(' and ')}`);
        t.same(stateOf(memory), state, `${scenario.name}, cut at ${cuts.join(' and ')}: state`);
      }
      t.equal(wrong, 0, `${scenario.name}: ${steps} cuts`);
    }
  },
);
