import { Code, PRESENCE_GRACE_MS } from '@tidewire/core';
import { OPERATION_PRESENCE, RecordLayout } from '@tidewire/core/threads';
import { EventKind } from '@tidewire/schemas';
import t from 'tap';
import { LifeBench } from './life-bench.js';
import { START_MS, saysOutcome } from './worker-fixture.js';

const { LEAVE, PUT, REMOVE, UPDATE, ENTER } = EventKind;
const at = (ms: number): number => START_MS + ms;
const INTERESTS = [
  { topic: 11 },
  { topic: 21, where: { kind: 'prefix', field: { kind: 'key' }, text: 'k' } },
] as const;

t.test('LIFE-6: an expired record is removed with its own stamp, as a change of its own', (t) => {
  const bench = new LifeBench(INTERESTS);
  bench.put('k', 5, { expiresAt: at(50), node: 7 });
  bench.put('other', 6);
  bench.heard();
  bench.tick(49);
  t.equal(bench.stateOf('k'), 'stands 5/7 #1', 'not before its time');
  t.same(bench.heard(), []);
  bench.tick(50);
  t.equal(bench.stateOf('k'), 'removed 5/7 #2');
  t.same(bench.heard(), [`${REMOVE} k`, `${LEAVE} k`]);
  bench.tick(5000);
  t.same(bench.heard(), [], 'once');
  const { store } = bench;
  const changed: number[] = [];
  for (let partition = 0; partition < 271; partition++)
    store.changesSince(partition, 1, (record) =>
      changed.push(RecordLayout.sequenceOf(store.words, record)),
    );
  t.same(changed, [2], 'and the journal has it');
  t.end();
});

t.test('LIFE-7: who writes in time postpones the end, and an older write stays superseded', (t) => {
  const bench = new LifeBench(INTERESTS);
  bench.put('k', 5, { expiresAt: at(50) });
  bench.put('k', 6, { expiresAt: at(90) });
  bench.put('kk', 5, { expiresAt: at(50) });
  bench.put('kk', 6);
  bench.heard();
  bench.tick(60);
  t.same(bench.heard(), []);
  bench.tick(90);
  t.same(bench.heard(), [`${REMOVE} k`, `${LEAVE} k`]);
  bench.tick(900);
  t.same(bench.heard(), []);
  t.equal(bench.stateOf('kk').slice(0, 6), 'stands');
  bench.gateway.heard.length = 0;
  bench.put('k', 4);
  t.ok(saysOutcome(bench.gateway.heard[0], Code.SUPERSEDED));
  bench.put('k', 7);
  t.same(bench.heard(), [`${PUT} k`, `${ENTER} k`]);
  t.end();
});

t.test('LIFE-7: a write over an expired record that nobody has swept is one change', (t) => {
  const bench = new LifeBench(INTERESTS);
  bench.put('k', 5, { expiresAt: at(50) });
  bench.heard();
  bench.put('k', 60, { expiresAt: at(600) });
  bench.tick(100);
  t.same(bench.heard(), [`${PUT} k`, `${UPDATE} k`]);
  t.equal(bench.stateOf('k'), 'stands 60/1 #2');
  t.end();
});

t.test('LIFE-8: a worker that replaces another one sweeps what that one would have', (t) => {
  const bench = new LifeBench(INTERESTS);
  for (let i = 0; i < 3000; i++) bench.put(`k${i}`, 5, { expiresAt: at(50 + (i % 100)) });
  bench.heard();
  bench.restart();
  bench.work();
  bench.tick(49);
  t.same(bench.heard(), []);
  bench.tick(99);
  t.equal(bench.heard().filter((said) => said.startsWith(`${REMOVE}`)).length, 1500);
  bench.restart();
  bench.tick(149);
  t.equal(bench.heard().filter((said) => said.startsWith(`${REMOVE}`)).length, 1500);
  t.end();
});

t.test('LIFE-8: no time is known before the first tick', (t) => {
  const bench = new LifeBench(INTERESTS);
  bench.put('k', 5, { expiresAt: at(50) });
  bench.tick(40);
  bench.restart();
  bench.work();
  t.equal(bench.stateOf('k').slice(0, 6), 'stands');
  bench.tick(50);
  t.equal(bench.stateOf('k'), 'removed 5/1 #2');
  t.end();
});

t.test('LIFE-9: a presence record that was recovered ends after the grace time', (t) => {
  const before = new LifeBench();
  before.put('here', 5, { flags: OPERATION_PRESENCE });
  before.put('again', 5, { flags: OPERATION_PRESENCE });
  before.put('plain', 5);
  before.tick(10 * PRESENCE_GRACE_MS);
  t.equal(before.stateOf('here').slice(0, 6), 'stands', 'its session is the gateway’s business');

  const bench = new LifeBench();
  bench.recover(before.store);
  bench.tick(1000);
  bench.put('again', 2000, { flags: OPERATION_PRESENCE });
  bench.tick(1000 + PRESENCE_GRACE_MS - 1);
  t.match(bench.stateOf('here'), /^stands/);
  bench.tick(1000 + PRESENCE_GRACE_MS);
  t.match(bench.stateOf('here'), /^removed 5\/1/);
  t.match(bench.stateOf('plain'), /^stands/);
  bench.tick(10 * PRESENCE_GRACE_MS);
  t.match(bench.stateOf('again'), /^stands 2000/, 'its client is back');
  t.end();
});

t.test('LIFE-9: records with a lifetime enter with recovery too', (t) => {
  const before = new LifeBench();
  before.put('k', 5, { expiresAt: at(50) });
  const bench = new LifeBench();
  bench.recover(before.store);
  bench.tick(49);
  t.match(bench.stateOf('k'), /^stands/);
  bench.tick(50);
  t.match(bench.stateOf('k'), /^removed 5/);
  t.end();
});

t.test('LIFE-19: where memory is full, sweeps, removals and overwrites of a size go on', (t) => {
  const bench = new LifeBench();
  const value = 'x'.repeat(1000);
  let count = 0;
  do bench.put(`key ${count++}`, count, { value, expiresAt: at(100_000) });
  while (bench.code === Code.APPLIED);
  t.equal(bench.code, Code.OVERLOADED);
  t.ok(count > 1000);
  bench.put('key 3', 50_000, { value, expiresAt: at(100_000) });
  t.equal(bench.code, Code.APPLIED);
  bench.remove('key 4', 50_000);
  t.equal(bench.code, Code.APPLIED);
  bench.tick(100_000);
  t.equal(bench.tombstones, count - 1, 'all but the one that was refused');
  bench.put('again', 100_001, { value });
  t.equal(bench.code, Code.APPLIED);
  t.end();
});

t.test('LIFE-48: a presence for whose end there is no room ends once there is some', (t) => {
  for (const dies of [false, true]) {
    const bench = new LifeBench();
    bench.tick(10);
    bench.put('here', 20, { flags: OPERATION_PRESENCE });
    const lastKey = fillMemory(bench);
    bench.endPresence('here', 20);
    t.match(bench.stateOf('here'), /^stands/, 'there is no room');
    bench.put('here', 20, { flags: OPERATION_PRESENCE });
    t.equal(bench.code, Code.DUPLICATE, 'it counts as what was put');
    if (dies) bench.restart();
    bench.tick(2000);
    t.match(bench.stateOf('here'), /^stands/, 'still none');
    bench.put(lastKey, 60); // back where it came from
    t.equal(bench.code, Code.APPLIED);
    bench.tick(4000);
    t.match(bench.stateOf('here'), /^removed/, dies ? 'by the next worker' : 'later');
    bench.restart();
    bench.put('here', 5000, { flags: OPERATION_PRESENCE });
    bench.tick(9000);
    t.match(bench.stateOf('here'), /^stands/, 'who comes again stays');
  }
  t.end();
});

/** Another key each, as long as `here`. */
function keyOf(i: number): string {
  return (36 ** 3 + i).toString(36);
}

/**
 * Until not even an overwrite finds a block as small as a tombstone of `here`. Of the blocks that are
 * given back no span becomes free. Returns the key of the last overwrite.
 */
function fillMemory(bench: LifeBench): string {
  const isRefused = (): boolean => bench.code !== Code.APPLIED;
  let count = 0;
  do bench.put(keyOf(count++), 30);
  while (!isRefused());
  for (let i = 0; i < count; i += 2) {
    bench.put(keyOf(i), 40, { value: '' });
    if (isRefused()) return keyOf(i - 2);
  }
  throw new Error('there is room for everything');
}
