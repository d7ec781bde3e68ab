import { RecordLayout } from '@tidewire/core/threads';
import t from 'tap';
import { FRONTIER, UNIT_WORDS_LOG2 } from '#lib/store/arena-layout.js';
import { SEGMENT_USED_MAX } from '#lib/store/index-reshape.js';
import { ABSENT, FULL, type RecordStore } from '#lib/store/record-store.js';
import { buildCut } from './cut/cut-build.js';
import { cutAt, diesIn, revive, stepsTaken } from './cut/cut-steps.js';
import { checkStore } from './store-check.js';
import {
  addKey,
  findKey,
  hashesIn,
  type Key,
  putKey,
  removeKey,
  stateOf,
  type Write,
} from './store-fixture.js';

t.setTimeout(0); // the runner's own limit is enough

const PARTITION = 5;
const POSITION = 4242;
const url = buildCut('group-cuts')('worker/store/record-store.js');
const cut = (await import(url)) as typeof import('#lib/store/record-store.js');
/** 1: every cut is attached to through a second cut too. Higher: every n-th. */
const SECOND_CUT_EVERY = process.env['TIDEWIRE_LONG_TESTS'] === undefined ? 5 : 1;
const WITNESSES = 40;

const keys: Key[] = hashesIn(PARTITION, 1200).map((hash, i) => ({
  hash,
  mapId: 1,
  length: 16,
  words: Int32Array.of(i, 0, 0, 0),
}));
const arena = new SharedArrayBuffer(6 * 1024 * 1024);
const memory = new Int32Array(arena);

/** Key and what becomes of it: the length of its value, or REMOVED. */
type Change = readonly [key: number, length: number];
const REMOVED = -1;

interface Scenario {
  readonly name: string;
  /** Records there already, of 100 bytes. */
  readonly records: number;
  readonly changes: readonly Change[];
  readonly prepare?: (store: RecordStore) => void;
}

const scenarios: Scenario[] = [
  { name: 'one overwrite', records: 50, changes: [[7, 100]] },
  {
    name: 'the first records of a partition',
    records: 0,
    changes: [
      [1, 9],
      [2, 100],
      [3, 700],
    ],
  },
  {
    name: 'overwrites with a hot block, of one class and of others',
    records: 300,
    changes: [
      [17, 98],
      [18, 99],
      [19, 700],
      [20, REMOVED],
      [400, 98],
    ],
    prepare: (store) => put(store, 5, 100, 2),
  },
  {
    name: 'inserts that split a segment, beside overwrites',
    records: SEGMENT_USED_MAX - 1,
    changes: [
      [900, 100],
      [3, 100],
      [901, 20],
      [902, 100],
    ],
  },
  {
    name: 'inserts into deleted slots',
    records: 300,
    changes: [
      [250, 100],
      [251, 100],
      [252, REMOVED],
    ],
    prepare: (store) => {
      for (let i = 200; i < 300; i++) removeKey(store, keys[i]);
    },
  },
  {
    name: 'a bulk copy',
    records: 20,
    changes: [
      [3, 9000],
      [4, 9000],
    ],
  },
  {
    name: 'a group behind another one',
    records: 50,
    changes: [
      [7, 100],
      [60, 100],
    ],
    prepare: (store) => {
      store.beginGroup();
      for (const key of [30, 31, 32]) addKey(store, keys[key], write(100, 2, key));
      store.commitGroup(POSITION - 1);
    },
  },
  {
    name: 'sequences over the 32-bit carry',
    records: 10,
    changes: [
      [3, 60],
      [4, 60],
      [11, 60],
    ],
    prepare: (store) => store.startPartition(PARTITION, 2 ** 32 - 2),
  },
];

function write(length: number, ms: number, seed: number): Write {
  const isTombstone = length === REMOVED;
  const at = { ms, counter: 0, node: 1, kind: 1, seed, expiresAt: 0 };
  return { ...at, length: isTombstone ? 0 : length, isTombstone };
}

function put(store: RecordStore, i: number, length: number, ms: number): void {
  if (putKey(store, keys[i], write(length, ms, i + ms), 0) === FULL)
    throw new Error('the arena is too small for the scenario');
}

function act(store: RecordStore, { changes }: Scenario): void {
  store.beginGroup();
  for (const [key, length] of changes)
    if (!addKey(store, keys[key], write(length, 9, key))) throw new Error('there is no room');
  store.commitGroup(POSITION);
}

function newStore(): RecordStore {
  return new cut.RecordStore(arena, { journalEntries: 64 });
}

function statesOf(store: RecordStore, { changes }: Scenario): string {
  return changes.map(([key]) => stateOf(store, keys[key])).join('\n');
}

function witnessesOf(store: RecordStore, { changes }: Scenario): string {
  const changed = new Set(changes.map(([key]) => key));
  const witnesses = keys.slice(0, WITNESSES).filter((_, i) => !changed.has(i));
  return witnesses.map((key) => stateOf(store, key)).join('\n');
}

/** The images that stand, without their first words: a freed block keeps no more. */
function imagesOf(store: RecordStore, { changes }: Scenario): string[] {
  return changes.map(([key]) => {
    const record = findKey(store, keys[key]);
    return record === ABSENT ? '' : imageAt(record);
  });
}

function imageAt(record: number): string {
  return memory.slice(record + 1, record + RecordLayout.imageWords(memory, record)).join();
}

function runScenario(scenario: Scenario): { steps: number; kept: number } {
  memory.fill(0);
  revive();
  const first = newStore();
  for (let i = 0; i < scenario.records; i++) put(first, i, 100, 1);
  scenario.prepare?.(first);
  const before = statesOf(first, scenario);
  const images = imagesOf(first, scenario);
  const witnesses = witnessesOf(first, scenario);
  const snapshot = memory.slice(0, (memory[FRONTIER] + 64) << UNIT_WORDS_LOG2);
  const restored = (): RecordStore => {
    revive();
    memory.set(snapshot);
    const store = newStore();
    memory.set(snapshot); // as the dead worker's store left it, attach not counted
    revive();
    return store;
  };
  const whole = restored();
  act(whole, scenario);
  const steps = stepsTaken();
  const after = statesOf(whole, scenario);
  checkStore(whole);
  let kept = 0;
  for (let step = 0; step < steps; step++) {
    const dying = restored();
    cutAt(step);
    if (!diesIn(() => act(dying, scenario))) throw new Error('did not die');
    if (step % SECOND_CUT_EVERY === 0) {
      cutAt((step * 7) % 331);
      diesIn(newStore);
    }
    revive();
    const store = newStore();
    checkStore(store);
    const happened = statesOf(store, scenario) !== before;
    if (happened) kept++;
    if (happened && statesOf(store, scenario) !== after) throw new Error(`torn at ${step}`);
    if (store.hasSettledGroup(POSITION) !== happened) throw new Error(`settled wrongly at ${step}`);
    if (happened) checkReplaced(store, images);
    else act(store, scenario);
    checkAfter(store, scenario, { after, witnesses });
  }
  return { steps, kept };
}

function checkReplaced(store: RecordStore, images: readonly string[]): void {
  const { group } = store;
  if (group.count !== images.length) throw new Error('the list is not whole');
  for (const [i, image] of images.entries()) {
    const old = group.replacedAt(i);
    if ((old === ABSENT ? '' : imageAt(old)) !== image) throw new Error(`old image ${i}`);
  }
}

/** What is written later stays, and the group is not rolled forward once more. */
function checkAfter(
  store: RecordStore,
  scenario: Scenario,
  expected: { after: string; witnesses: string },
): void {
  if (statesOf(store, scenario) !== expected.after) throw new Error('the act came out differently');
  if (witnessesOf(store, scenario) !== expected.witnesses) throw new Error('another key changed');
  const [key] = scenario.changes[0];
  put(store, key, 333, 20);
  const later = newStore();
  checkStore(later);
  const last = later.sequence(PARTITION);
  if (RecordLayout.sequenceOf(memory, findKey(later, keys[key])) !== last)
    throw new Error('a later write was undone');
  if (later.hasSettledGroup(POSITION)) throw new Error('settled what is long done');
}

t.test('STORE-12: a group of writes happens wholly or not at all', (t) => {
  for (const scenario of scenarios) {
    const { steps, kept } = runScenario(scenario);
    t.ok(kept > 0 && kept < steps, `${scenario.name}: ${steps} cuts, ${kept} kept`);
  }
  t.end();
});

t.test('STORE-12: a group that finds no room leaves nothing', (t) => {
  revive();
  memory.fill(0);
  const store = newStore();
  let i = 0;
  while (putKey(store, keys[i], write(20_000, 1, i), 0) !== FULL) i++;
  const small = statesOf(store, scenarios[0]);
  const last = store.sequence(PARTITION);
  store.beginGroup();
  t.ok(addKey(store, keys[7], write(10, 9, 7)));
  t.notOk(addKey(store, keys[i], write(20_000, 9, i)));
  store.abandonGroup();
  checkStore(store);
  t.equal(statesOf(store, scenarios[0]), small);
  t.equal(store.sequence(PARTITION), last);
  store.beginGroup();
  t.ok(addKey(store, keys[7], write(10, 9, 7)));
  store.commitGroup(POSITION);
  checkStore(store);
  t.equal(store.sequence(PARTITION), last + 1);
  t.end();
});
