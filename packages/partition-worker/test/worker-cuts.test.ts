import { Code, hashOf, partitionOf } from '@tidewire/core';
import { OPERATION_RETURN_WINNER, OPERATION_SAFE, type WorkerMemory } from '@tidewire/core/threads';
import { OperationKind } from '@tidewire/schemas';
import t from 'tap';
import type { NamedProcessor } from '#lib/execute/processor.js';
import { RecordStore } from '#lib/store/record-store.js';
import { buildCut } from './cut/cut-build.js';
import { cutAt, diesIn, revive, stepsTaken } from './cut/cut-steps.js';
import { checkStore } from './store-check.js';
import {
  doorbells,
  FakeGateway,
  type Interest,
  MAP_ID,
  type Sent,
  Snapshot,
  START_MS,
  saysOutcome,
  smallMemory,
} from './worker-fixture.js';

const url = buildCut('worker-cuts')('worker/worker.js');
const { Worker } = (await import(url)) as typeof import('#lib/worker.js');
type CutWorker = InstanceType<typeof Worker>;

/** Every n-th first cut is followed by a second one, in the worker that attaches. */
const SECOND_CUT_EVERY = process.env['TIDEWIRE_LONG_TESTS'] === undefined ? 7 : 1;
const ONE = { kind: 'eq', field: { kind: 'value', steps: [] }, literal: 'one' } as const;
const INTERESTS = [
  { topic: 11 },
  { topic: 5, key: 'k' },
  { topic: 21, where: ONE },
  { topic: 22, where: ONE, isWithOld: true },
  { topic: 23, where: { kind: 'prefix', field: { kind: 'key' }, text: 'k' } },
] satisfies Interest[];
const SAFE = OPERATION_SAFE;
const put = (key: string, value: string, ms: number, more: Partial<Sent> = {}): Sent => ({
  kind: OperationKind.PUT,
  key,
  value,
  ms,
  ...more,
});
/** The request id of the operation under test is 77. */
const increment = (key: string, ms: number, token: number, requestId?: number): Sent => ({
  kind: OperationKind.INCREMENT,
  key,
  value: '5',
  ms,
  update: { token },
  ...(requestId === undefined ? {} : { requestId }),
});
/** What the processor of a group leaves: the argument in each record, or nothing where it is null. */
const PROCESSORS: readonly NamedProcessor[] = [
  {
    name: 'setAll',
    run: (records, argument) =>
      (records as unknown[]).map((_, i) => {
        const value = (argument as unknown[])[i];
        return value === null
          ? { remove: true }
          : value === 'as it is'
            ? undefined
            : { put: value };
      }),
  },
];
const partitionOfText = (key: string): number => partitionOf(hashOf(Buffer.from(key)));
/** A key beside `k`, in its partition, and another map. */
const BESIDE = Array.from({ length: 9999 }, (_, i) => `k${i}`).find(
  (key) => partitionOfText(key) === partitionOfText('k'),
) as string;
const OTHERS = [
  { mapId: MAP_ID, key: BESIDE },
  { mapId: MAP_ID + 1, key: 'k' },
];
const setAll = (values: readonly unknown[], ms: number, more: Partial<Sent> = {}): Sent => ({
  kind: OperationKind.EXECUTE,
  key: 'k',
  value: JSON.stringify(values),
  ms,
  update: { token: 6, others: OTHERS },
  ...more,
});
const get = (key: string): Sent => ({ kind: OperationKind.GET, key, ms: 9 });
const remove = (key: string, ms: number): Sent => ({ kind: OperationKind.REMOVE, key, ms });

interface Scenario {
  readonly name: string;
  readonly before: readonly Sent[];
  readonly operation: Sent;
  /** What is sent behind it; it is answered as without a death. */
  readonly after?: readonly Sent[];
  readonly outcome: Code;
  readonly refusal?: Code;
  /** What is broadcast: kind and topics. */
  readonly events: readonly string[];
}

const scenarios: Scenario[] = [
  {
    name: 'a first put',
    before: [],
    operation: put('k', '"one"', 1),
    outcome: Code.APPLIED,
    events: ['PUT 11,5', 'ENTER 21,22,23'],
  },
  {
    name: 'an overwrite',
    before: [put('k', '"one"', 1)],
    operation: put('k', '"two"', 2),
    outcome: Code.APPLIED,
    events: ['PUT 11,5', 'UPDATE 23', 'LEAVE 21', 'LEAVE 22'],
  },
  {
    name: 'an overwrite of another size',
    before: [put('k', '"one"', 1)],
    operation: put('k', 'x'.repeat(700), 2),
    outcome: Code.APPLIED,
    events: ['PUT 11,5', 'UPDATE 23', 'LEAVE 21', 'LEAVE 22'],
  },
  {
    name: 'a put that expires',
    before: [],
    operation: put('k', '"one"', 1, { expiresAt: START_MS + 50 }),
    outcome: Code.APPLIED,
    events: ['PUT 11,5', 'ENTER 21,22,23'],
  },
  {
    name: 'a remove',
    before: [put('k', '"one"', 1)],
    operation: remove('k', 2),
    outcome: Code.APPLIED,
    events: ['REMOVE 11,5', 'LEAVE 21,23', 'LEAVE 22'],
  },
  {
    name: 'a remove of nothing',
    before: [],
    operation: remove('k', 2),
    outcome: Code.APPLIED,
    events: ['REMOVE 11,5'],
  },
  {
    name: 'a put that is superseded',
    before: [put('k', 'new', 9)],
    operation: put('k', 'old', 2, { flags: OPERATION_RETURN_WINNER }),
    outcome: Code.SUPERSEDED,
    events: [],
  },
  {
    name: 'a duplicate',
    before: [put('k', '"one"', 1)],
    operation: put('k', '"one"', 1),
    outcome: Code.DUPLICATE,
    events: [],
  },
  {
    name: 'a get',
    before: [put('k', '"one"', 1)],
    operation: get('k'),
    outcome: Code.FOUND,
    events: [],
  },
  {
    name: 'a get of nothing',
    before: [remove('k', 1)],
    operation: get('k'),
    outcome: Code.ABSENT,
    events: [],
  },
  {
    name: 'a SAFE put',
    before: [],
    operation: put('k', '"one"', 1, { flags: SAFE }),
    outcome: Code.APPLIED,
    events: ['PUT 11,5', 'ENTER 21,22,23'],
  },
  {
    name: 'a SAFE duplicate',
    before: [put('k', '"one"', 1)],
    operation: put('k', '"one"', 1, { flags: SAFE }),
    outcome: Code.DUPLICATE,
    events: [],
  },
  {
    name: 'a first increment',
    before: [],
    operation: increment('k', 1, 7),
    outcome: Code.APPLIED,
    events: ['PUT 11,5', 'ENTER 23'],
  },
  {
    name: 'an increment of a record stamped later',
    before: [put('k', '41', 9)],
    operation: increment('k', 1, 7),
    outcome: Code.APPLIED,
    events: ['PUT 11,5', 'UPDATE 23'],
  },
  {
    name: 'an increment sent again',
    before: [increment('k', 1, 7, 77)],
    operation: increment('k', 1, 7),
    outcome: Code.APPLIED,
    events: [],
  },
  {
    name: 'a SAFE increment',
    before: [put('k', '41', 1)],
    operation: { ...increment('k', 2, 7), flags: SAFE },
    outcome: Code.APPLIED,
    events: ['PUT 11,5', 'UPDATE 23'],
  },
  {
    name: 'a group of new records',
    before: [],
    operation: setAll(['one', 'two', 3], 7),
    outcome: Code.APPLIED,
    events: ['PUT 11,5', 'ENTER 21,22,23', 'PUT 11', 'ENTER 23'],
  },
  {
    name: 'a group of records that are there',
    before: [
      put('k', '"one"', 9),
      put(BESIDE, '"one"', 1),
      put('k', '8', 3, { mapId: MAP_ID + 1 }),
    ],
    operation: setAll([null, 'two', 3], 7, { flags: SAFE }),
    outcome: Code.APPLIED,
    events: [
      'REMOVE 11,5',
      'LEAVE 21,23',
      'LEAVE 22',
      'PUT 11',
      'UPDATE 23',
      'LEAVE 21',
      'LEAVE 22',
    ],
  },
  {
    name: 'a group whose first record stays away',
    before: [],
    operation: setAll(['as it is', 'one', 3], 7),
    outcome: Code.APPLIED,
    events: ['PUT 11', 'ENTER 21,22,23'],
  },
  {
    name: 'a group sent again',
    before: [setAll(['as it is', 'one', 3], 7, { requestId: 77 })],
    operation: setAll(['as it is', 'one', 3], 7),
    outcome: Code.APPLIED,
    events: [],
  },
  {
    name: 'an increment for whose effect another session makes room',
    before: [
      ...Array.from({ length: 8 }, (_, i) => increment('k', 2, 8, i + 1)),
      ...Array.from({ length: 56 }, (_, i) => increment('k', 2, 100 + i, 1)),
    ],
    operation: increment('k', 2, 9),
    after: [increment('k', 2, 8, 1), increment('k', 2, 8, 2), increment('k', 2, 8, 3)],
    outcome: Code.APPLIED,
    events: ['PUT 11,5', 'UPDATE 23'],
  },
  {
    name: 'a group that is left as it is',
    before: [put('k', '"one"', 1)],
    operation: setAll(['as it is', 'as it is', 'as it is'], 7),
    outcome: Code.FOUND,
    events: [],
  },
];

function start(
  memory: WorkerMemory,
  gateway: FakeGateway,
  bells: SharedArrayBuffer,
  count: number,
): CutWorker {
  gateway.introduce(count, INTERESTS);
  return new Worker(memory, bells, count, PROCESSORS);
}

function work(worker: CutWorker): void {
  for (let idle = 0; idle < 2; ) idle = worker.doWork() === 0 ? idle + 1 : 0;
}

t.test(
  'EXACT-1: a worker that dies at any store leaves every operation undone or done, answered and broadcast once',
  async (t) => {
    for (const scenario of scenarios) {
      const memory = smallMemory();
      const bells = doorbells();
      const setup = new FakeGateway(memory);
      setup.introduce(1, INTERESTS);
      for (const [i, sent] of scenario.before.entries()) setup.send(sent.requestId ?? i + 1, sent);
      work(new Worker(memory, bells, 1, PROCESSORS));
      setup.listen();
      setup.send(77, scenario.operation);
      setup.send(78, put('other', 'after', 3));
      for (const sent of scenario.after ?? []) setup.send(sent.requestId ?? 79, sent);
      const snapshot = new Snapshot(memory);
      const { answered } = setup;

      /** The same history again; with cuts, in up to three workers. */
      const play = (cuts: readonly number[]): FakeGateway => {
        snapshot.restore();
        const gateway = new FakeGateway(memory, answered);
        let count = 2;
        for (const step of cuts) {
          gateway.introduce(count, INTERESTS);
          cutAt(step);
          diesIn(() => work(new Worker(memory, bells, count, PROCESSORS)));
          revive();
          gateway.listen();
          count++;
        }
        work(start(memory, gateway, bells, count));
        gateway.listen();
        return gateway;
      };

      const whole = play([]);
      const events = whole.heard.filter((said) => said.startsWith('event'));
      t.ok(
        saysOutcome(whole.heard[0], scenario.outcome, scenario.refusal),
        `${scenario.name}: outcome`,
      );
      t.same(
        events.map((said) => said.split(' ').slice(1, 3).join(' ')),
        [...scenario.events, 'PUT 11'],
        `${scenario.name}: events`,
      );
      revive();
      snapshot.restore();
      const probe = new FakeGateway(memory, answered);
      probe.introduce(2, INTERESTS);
      work(new Worker(memory, bells, 2, PROCESSORS));
      const steps = stepsTaken();
      let wrong = 0;
      for (let step = 0; step < steps; step++) {
        const cuts = step % SECOND_CUT_EVERY === 0 ? [step, (step * 31) % steps] : [step];
        const gateway = play(cuts);
        checkStore(new RecordStore(memory.arena));
        if (gateway.heard.join('\n') !== whole.heard.join('\n') || gateway.hasUnread) {
          wrong++;
          if (wrong === 1)
            t.same(gateway.heard, whole.heard, `${scenario.name}, cut at ${cuts.join(' and ')}`);
        }
      }
      t.equal(wrong, 0, `${scenario.name}: ${steps} cuts`);
    }
  },
);
