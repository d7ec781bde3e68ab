import { hashOf, partitionOf } from '@tidewire/core';
import t, { type Test } from 'tap';
import { type Mutation, mutantOf } from './support/mutant.js';
import { everySchedule, type Fault, type History } from './support/schedules.js';
import { Arena, type Build, PRODUCT, Violation } from './support/world.js';

/** Records in a batch, and faults in a schedule, at most. */
const DEPTHS: readonly (readonly [number, number])[] =
  process.env['TIDEWIRE_LONG_TESTS'] === undefined
    ? [[1000, 1]]
    : [
        [1, 1],
        [1000, 2],
      ];
const arena = new Arena();
const A = 'a';
/** A key of A's partition. */
const B = keyBeside(A);

/** Small histories in which every promise of write-behind can be broken. */
const HISTORIES: Readonly<Record<string, History['writes']>> = {
  'a SAFE write beside FAST ones of its partition': [
    { key: A, ms: 1 },
    { key: B, ms: 2, isSafe: true },
    { key: A, ms: 3 },
  ],
  'a record rewritten, and the write repeated': [
    { key: A, ms: 1 },
    { key: A, ms: 2, isSafe: true },
    { key: A, ms: 2, isSafe: true },
  ],
  'a late write, and a removal': [
    { key: A, ms: 2, isSafe: true },
    { key: A, ms: 1, isSafe: true },
    { key: A, ms: 3, isRemoval: true },
  ],
};

const FAULTS: readonly Fault[] = [
  'fail',
  'lose',
  'delay',
  'kill worker',
  'kill thread',
  'crash',
  'crash late',
];

for (const [name, writes] of Object.entries(HISTORIES))
  t.test(`WB-50: every order of events of a small history: ${name}`, async (t) => {
    for (const [batchRecords, faultsMax] of DEPTHS) {
      const history = { writes, faults: FAULTS, faultsMax, batchRecords };
      const schedules = await everySchedule(arena, history);
      t.ok(schedules > 500, `${schedules} schedules, ${batchRecords} records in a batch`);
    }
  });

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'a commit speaks of all that has changed by now, and not of what its batch had': {
    package: 'persistence',
    file: 'worker-pull.js',
    replacements: [
      [
        'this.#commit(flight)',
        `this.#commit({ ...flight, changesHanded: flight.changesHanded, end: {
          laneHanded: this.#load(WorkerControl.LANE_TAIL),
          more: flight.end.more,
          marks: flight.end.marks.map(({ partition, sequence }) => ({ partition,
            sequence: sequence + this.#load(WorkerControl.CHANGES) - flight.changesHanded })) } })`,
      ],
    ],
  },
  'the watermark rises by the number of records committed': {
    package: 'persistence',
    file: 'worker-pull.js',
    replacements: [
      [
        'this.#flushed.raise(flight)',
        `this.#flushed.raise({ changesHanded: flight.changesHanded, end: { ...flight.end,
          marks: [...new Set(flight.records.map(({ partition }) => partition))].map((partition) => ({
            partition,
            sequence: Atomics.load(this.#control, WorkerControl.flushedIndex(partition)) +
              flight.records.filter((record) => record.partition === partition).length })) } })`,
      ],
      ['new Flight({', 'Object.assign(new Flight({'],
      ['flushed, wake })', 'flushed, wake }), { records })'],
    ],
  },
  'the second of two batches settles before the first': {
    package: 'persistence',
    file: 'worker-pull.js',
    replacements: [
      [
        'for (; this.#flights[0]?.outcome !== undefined; work++)',
        'for (; this.#flights.some((each) => each.outcome !== undefined); work++)',
      ],
      [
        'const [flight] = this.#flights.splice(0, 1)',
        'const [flight] = this.#flights.splice(this.#flights.findIndex((each) => each.outcome !== undefined), 1)',
      ],
      [
        'this.#flights[0]?.outcome !== undefined)\n            return true',
        'this.#flights.some((each) => each.outcome !== undefined))\n            return true',
      ],
    ],
  },
  'a batch counts although the one before it has failed': {
    package: 'persistence',
    file: 'worker-pull.js',
    replacements: [
      ['this.#abandoned.add(flight)', 'later.push(flight)'],
      [
        'for (const flight of this.#flights.splice(0))',
        'const later = [];\n for (const flight of this.#flights.splice(0))',
      ],
      [
        'this.#laneHanded = this.#flushed.lane;\n        this.#mustPull = true;',
        'this.#flights.push(...later);\n        this.#laneHanded = this.#flushed.lane;\n        this.#mustPull = true;',
      ],
    ],
  },
  'a duplicate is answered at once': {
    package: 'worker',
    file: 'execute/executor.js',
    replacements: [
      ['if (flushed < sequence)', 'if (flushed < sequence && outcome === Code.APPLIED)'],
    ],
  },
  'a change whose record has been rewritten since is passed over': {
    package: 'worker',
    file: 'persistence-queue.js',
    replacements: [['sequence >= this.#takeFrom', 'sequence === this.#takeFrom']],
  },
  'the end of a batch of an earlier attempt counts': {
    package: 'persistence',
    file: 'batch-intake.js',
    replacements: [['!isOfPull || words[at + BatchEnd.ATTEMPT] !== this.#attempt', 'false']],
  },
};

t.test('WB-51: where the table is not guarded, an order of events breaks a promise', async (t) => {
  await findsFault(t, { ...PRODUCT, isGuarded: false });
});

for (const [i, [name, mutation]] of Object.entries(MUTATIONS).entries())
  t.test(`WB-51: an order of events breaks a promise where ${name}`, async (t) => {
    await findsFault(t, await mutantOf(`mutant-${i}`, mutation));
  });

async function findsFault(t: Test, build: Build): Promise<void> {
  const cases = [0, 1].flatMap((faultsMax) =>
    [1000, 1].flatMap((batchRecords) =>
      Object.values(HISTORIES).map((writes) => ({
        writes,
        faults: FAULTS,
        faultsMax,
        batchRecords,
      })),
    ),
  );
  for (const history of cases) {
    const found = await everySchedule(arena, history, build).catch((error) => error);
    if (!(found instanceof Error)) continue;
    t.ok(found instanceof Violation, found.message);
    return;
  }
  t.fail('no order of events shows it');
}

function keyBeside(key: string): string {
  const partitionOfKey = (text: string): number => partitionOf(hashOf(Buffer.from(text)));
  for (let i = 0; ; i++) if (partitionOfKey(`k${i}`) === partitionOfKey(key)) return `k${i}`;
}
