import { JOURNAL_ENTRIES } from '@tidewire/core';
import { RecordLayout } from '@tidewire/core/threads';
import t from 'tap';
import {
  directoryIndex,
  FRONTIER,
  SEGMENT_LIVE,
  SEGMENT_USED,
  UNIT_WORDS_LOG2,
} from '#lib/store/arena-layout.js';
import { SEGMENT_USED_MAX } from '#lib/store/index-reshape.js';
import { ABSENT, FULL, type RecordStore } from '#lib/store/record-store.js';
import { buildCut } from './cut/cut-build.js';
import { cutAt, diesIn, revive, stepsTaken } from './cut/cut-steps.js';
import { checkStore } from './store-check.js';
import {
  describe,
  findKey,
  hashesIn,
  imageOf,
  type Key,
  putKey,
  removeKey,
  stateOf,
  type Write,
} from './store-fixture.js';

t.setTimeout(0); // the runner's own limit is enough

const PARTITION = 5;
const POSITION = 4242;
const url = buildCut('store-cuts')('worker/store/record-store.js');
const cut = (await import(url)) as typeof import('#lib/store/record-store.js');
/** 1: every cut is attached to through a second cut too. Higher: every n-th. */
const SECOND_CUT_EVERY = process.env['TIDEWIRE_LONG_TESTS'] === undefined ? 5 : 1;

const keys: Key[] = hashesIn(PARTITION, 1700).map((hash, i) => ({
  hash,
  mapId: 1,
  length: 16,
  words: Int32Array.of(i, 0, 0, 0),
}));
const arena = new SharedArrayBuffer(6 * 1024 * 1024);
const memory = new Int32Array(arena);

function write(length: number, ms: number, seed: number): Write {
  return { ms, counter: 0, node: 1, kind: 1, length, seed, expiresAt: 0, isTombstone: false };
}

function put(store: RecordStore, i: number, length: number, ms: number, position = 0): void {
  if (putKey(store, keys[i], write(length, ms, i + ms), position) === FULL)
    throw new Error('the arena is too small for the scenario');
}

interface Scenario {
  readonly name: string;
  /** Records there already, of 100 bytes. */
  readonly records: number;
  readonly prepare?: (store: RecordStore) => void;
  /** The key that `act` changes. */
  readonly key: number;
  readonly act: (store: RecordStore) => void;
  /** `act` is a put, of which `settled` must know. */
  readonly isPut: boolean;
}

const scenarios: Scenario[] = [
  putScenario('the first record of a partition', 0, 0, 100),
  putScenario('an insert', 300, 400, 100),
  putScenario('an insert into a deleted slot', 300, 250, 100, (store) => {
    for (let i = 200; i < 300; i++) removeKey(store, keys[i]);
  }),
  putScenario('an insert that splits a segment', SEGMENT_USED_MAX, 900, 100),
  putScenario('an insert that cleans a segment', SEGMENT_USED_MAX, 900, 100, wearSegment),
  putScenario('an overwrite in the hot block', 300, 17, 98, (store) => put(store, 5, 100, 2)),
  putScenario('an overwrite without a hot block', 300, 17, 98),
  putScenario('an overwrite in another class', 300, 17, 700),
  putScenario('an overwrite between two classes with hot blocks', 300, 17, 700, (store) => {
    put(store, 5, 100, 2);
    for (let ms = 1; ms < 3; ms++) put(store, 6, 700, ms);
  }),
  putScenario('an overwrite by bulk copy', 300, 17, 9000),
  putScenario('a put at the 32-bit carry of the sequence', 10, 3, 60, (store) => {
    store.startPartition(PARTITION, 2 ** 32 - 1);
  }),
  putScenario('an insert into halves of a larger free span', 10, 20, 100, (store) => {
    for (let i = 100; i < 116; i++) put(store, i, 32_000, 1); // two spans of four units
    for (let i = 100; i < 116; i++) removeKey(store, keys[i]);
    for (let i = 120; stepsInSpan(store) > 0 && i < 1000; i++) put(store, i, 100, 1);
  }),
  removeScenario('a remove', 300, 17),
  removeScenario('a remove before an empty slot', 1, 0),
  removeScenario('a remove that frees a span', 300, 500, (store) => {
    for (let i = 500; i < 520; i++) put(store, i, 8000, 1); // eight a span
    removeKey(store, keys[519]); // the hot block
    for (let i = 501; i < 508; i++) removeKey(store, keys[i]);
  }),
  restoreScenario('a restored record', 300, 400),
  restoreScenario('a restored record over an older one', 300, 17),
];

function putScenario(
  name: string,
  records: number,
  key: number,
  length: number,
  prepare?: (store: RecordStore) => void,
): Scenario {
  const act = (store: RecordStore): void => put(store, key, length, 9, POSITION);
  return { name, records, key, act, isPut: true, ...(prepare && { prepare }) };
}

function removeScenario(
  name: string,
  records: number,
  key: number,
  prepare?: (store: RecordStore) => void,
): Scenario {
  const act = (store: RecordStore): void => void removeKey(store, keys[key]);
  return { name, records, key, act, isPut: false, ...(prepare && { prepare }) };
}

function restoreScenario(name: string, records: number, key: number): Scenario {
  const image = imageOf(keys[key], write(150, 9, 3), 1000);
  const act = (store: RecordStore): void => void store.restore(image, 0);
  return { name, records, key, act, isPut: false };
}

/** Few live records among many deleted slots, one slot short of a reshape's limit or at it. */
function wearSegment(store: RecordStore): void {
  const segment = store.words[directoryIndex(PARTITION)];
  for (let i = 0; i < 600; i++) removeKey(store, keys[i]);
  for (let i = 901; store.words[segment + SEGMENT_USED] < SEGMENT_USED_MAX; i++) {
    put(store, i, 20, 3);
    if (store.words[segment + SEGMENT_LIVE] > 300) removeKey(store, keys[i]);
  }
}

/** Blocks of the 100-byte records' class that can be taken without another span. */
function stepsInSpan(store: RecordStore): number {
  const before = store.spansUsed;
  const copy = memory.slice();
  put(store, 1699, 100, 1);
  const opened = store.spansUsed !== before;
  memory.set(copy);
  return opened ? 0 : 1;
}

function newStore(): RecordStore {
  return new cut.RecordStore(arena, { journalEntries: 64 });
}

/** The arena and what every key has to be before and after the act. */
interface Before {
  readonly snapshot: Int32Array;
  readonly others: ReadonlyMap<number, string>;
  readonly oldImage: Int32Array;
  readonly before: string;
}

function prepare(scenario: Scenario): Before {
  memory.fill(0);
  revive();
  const store = newStore();
  for (let i = 0; i < scenario.records; i++) put(store, i, 100, 1);
  scenario.prepare?.(store);
  const others = new Map<number, string>();
  for (let i = 0; i < keys.length; i += i < 20 ? 1 : 37)
    if (i !== scenario.key) others.set(i, stateOf(store, keys[i]));
  const old = findKey(store, keys[scenario.key]);
  const oldWords = old === ABSENT ? 0 : RecordLayout.imageWords(memory, old);
  const end = (memory[FRONTIER] + 64) << UNIT_WORDS_LOG2; // 64: more than any act takes
  return {
    snapshot: memory.slice(0, end),
    others,
    oldImage: memory.slice(old, old + oldWords),
    before: stateOf(store, keys[scenario.key]),
  };
}

/** Attaches, dying on the way where `secondCut` says so. */
function attach(secondCut: number): RecordStore {
  if (secondCut >= 0) {
    cutAt(secondCut);
    diesIn(newStore);
  }
  revive();
  return newStore();
}

function runScenario(scenario: Scenario): { steps: number; kept: number } {
  const start = prepare(scenario);
  let store = attach(-1);
  checkStore(store);
  memory.set(start.snapshot);
  store = newStore();
  memory.set(start.snapshot);
  revive();
  scenario.act(store);
  const steps = stepsTaken();
  const after = stateOf(store, keys[scenario.key]);
  checkStore(store);
  let kept = 0;
  for (let step = 0; step < steps; step++) {
    memory.set(start.snapshot);
    revive();
    store = newStore();
    memory.set(start.snapshot); // as the dead worker's store left it, attach not counted
    cutAt(step);
    if (!diesIn(() => scenario.act(store))) throw new Error('did not die');
    store = attach(step % SECOND_CUT_EVERY === 0 ? (step * 7) % 331 : -1);
    if (checkCut(scenario, start, after, store)) kept++;
  }
  return { steps, kept };
}

/** Asserts that the act has happened wholly or not at all; returns which. */
function checkCut(scenario: Scenario, start: Before, after: string, store: RecordStore): boolean {
  const key = keys[scenario.key];
  checkStore(store);
  const state = stateOf(store, key);
  const happened = state !== start.before;
  if (happened && state !== after) throw new Error(`torn: ${start.before} / ${after} / ${state}`);
  const settled = store.settled(POSITION);
  if ((settled !== ABSENT) !== (happened && scenario.isPut)) throw new Error('settled is wrong');
  if (store.settled(POSITION + 1) !== ABSENT) throw new Error('settled what never was');
  if (settled !== ABSENT) checkSettled(store, settled, after, start);
  for (const [i, expected] of start.others)
    if (stateOf(store, keys[i]) !== expected) throw new Error(`key ${i} has changed`);
  if (settled === ABSENT) scenario.act(store);
  if (stateOf(store, key) !== after) throw new Error('the repeated act came out differently');
  checkStore(store);
  return happened;
}

function checkSettled(store: RecordStore, settled: number, after: string, start: Before): void {
  if (describe(memory, settled) !== after) throw new Error('settled another record');
  const old = store.settledOld;
  if ((old === ABSENT) !== (start.oldImage.length === 0)) throw new Error('settled old is wrong');
  for (let i = 1; i < start.oldImage.length; i++)
    if (memory[old + i] !== start.oldImage[i]) throw new Error('the old image is not whole');
}

t.test('STORE-1: an arena whose formatting was cut is formatted', (t) => {
  for (let step = 0; step < 3; step++) {
    memory.fill(0);
    cutAt(step);
    t.ok(diesIn(newStore));
    revive();
    const store = newStore();
    put(store, 0, 100, 1);
    checkStore(store);
  }
  t.end();
});

t.test('STORE-1: a write happens wholly or not at all, whatever store the worker died at', (t) => {
  let cuts = 0;
  for (const scenario of scenarios) {
    const { steps, kept } = runScenario(scenario);
    cuts += steps;
    t.ok(steps > 0 && kept < steps, `${scenario.name}: ${steps} cuts, ${kept} kept`);
  }
  t.comment(`${cuts} cuts, journals of 64 instead of ${JOURNAL_ENTRIES} entries`);
  t.end();
});
