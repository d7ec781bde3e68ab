import { Code, TOMBSTONE_HORIZON_MS } from '@tidewire/core';
import { OPERATION_CLIENT_STAMP } from '@tidewire/core/threads';
import t from 'tap';
import { LifeBench } from './life-bench.js';
import { START_MS } from './worker-fixture.js';

const HORIZON = TOMBSTONE_HORIZON_MS;
const client = { flags: OPERATION_CLIENT_STAMP };

/** Ticks through one horizon, so that what stands now is old at its end; returns the end. */
function age(bench: LifeBench, from: number): number {
  for (let ms = from; ms <= from + HORIZON; ms += HORIZON / 4) bench.tick(ms);
  return from + HORIZON;
}

/** A removed key in the database, old enough to go. */
function benchWithOld(): { bench: LifeBench; nowMs: number } {
  const bench = new LifeBench();
  bench.put('k', 5);
  bench.remove('k', 10);
  bench.flush();
  return { bench, nowMs: age(bench, 20) };
}

t.test('LIFE-11: a tombstone goes once the database knows, and not before', (t) => {
  const { bench, nowMs } = benchWithOld();
  bench.pass(nowMs + 60_000);
  const [mark, ...others] = bench.proposal();
  t.same(
    { ms: mark.ms, counter: mark.counter, node: mark.node, sequence: mark.sequence },
    { ms: START_MS + 10, counter: 0, node: 1, sequence: 2 },
  );
  t.equal(others.length, 0);
  bench.pass(nowMs + 10 * HORIZON);
  t.equal(bench.stateOf('k'), 'removed 10/1 #2', 'however long it takes');
  bench.put('k', 9, client);
  t.equal(bench.code, Code.SUPERSEDED);
  bench.commit();
  bench.pass(nowMs + 10 * HORIZON);
  t.equal(bench.stateOf('k'), '');
  t.same(bench.proposal(), []);
  t.end();
});

t.test(
  'LIFE-12: a tombstone younger than the horizon stays, and one that is not in the database',
  (t) => {
    const young = new LifeBench();
    young.remove('k', 10);
    young.flush();
    for (let ms = 20; ms < HORIZON; ms += HORIZON / 10) young.pass(ms);
    t.same(young.proposal(), []);

    const unflushed = new LifeBench();
    unflushed.remove('k', 10);
    unflushed.pass(age(unflushed, 20) + 60_000);
    t.same(unflushed.proposal(), []);
    unflushed.flush();
    unflushed.pass(2 * HORIZON);
    t.equal(unflushed.proposal().length, 1);
    t.end();
  },
);

t.test('LIFE-12: a removal that comes late with an old stamp is as young as its change', (t) => {
  const bench = new LifeBench();
  const nowMs = age(bench, 20);
  bench.remove('k', 10);
  bench.flush();
  bench.pass(nowMs + 60_000);
  t.same(bench.proposal(), [], 'else every subscriber would need a snapshot');
  bench.pass(age(bench, age(bench, nowMs + 60_000)) + 60_000);
  t.equal(bench.proposal().length, 1);
  t.end();
});

t.test('LIFE-13: nothing older than what was collected comes back', (t) => {
  const { bench, nowMs } = benchWithOld();
  bench.pass(nowMs + 60_000);
  bench.commit();
  bench.pass(nowMs + 60_000);
  t.equal(bench.stateOf('k'), '');
  for (const ms of [1, 9, 10]) {
    bench.put('k', ms, client);
    t.equal(bench.code, Code.TOO_OLD);
    bench.remove('k', ms, client);
    t.equal(bench.code, Code.TOO_OLD);
  }
  bench.put('k', 10, { ...client, node: 2 });
  t.equal(bench.code, Code.APPLIED, 'later by its node');
  bench.put('k', 9, client);
  t.equal(bench.code, Code.SUPERSEDED, 'where there is a record, the order of writes decides');
  t.equal(bench.stateOf('k'), 'stands 10/2 #3', 'sequences go on');
  t.end();
});

t.test('LIFE-13: a write that the server stamped is never too old', (t) => {
  const { bench, nowMs } = benchWithOld();
  bench.pass(nowMs + 60_000);
  bench.commit();
  bench.pass(nowMs + 60_000);
  bench.put('k', 9);
  t.equal(bench.code, Code.APPLIED);
  t.end();
});

t.test('LIFE-14: what was collected is known after a death and after a restart', (t) => {
  const { bench, nowMs } = benchWithOld();
  bench.pass(nowMs + 60_000);
  bench.restart();
  bench.pass(nowMs + 60_000);
  t.equal(bench.stateOf('k'), 'removed 10/1 #2', 'proposed is not committed');
  bench.commit();
  bench.restart();
  bench.put('k', 9, client);
  t.equal(bench.code, Code.SUPERSEDED);
  bench.pass(nowMs + 60_000);
  t.equal(bench.stateOf('k'), '');
  bench.restart();
  bench.put('k', 9, client);
  t.equal(bench.code, Code.TOO_OLD);

  const next = new LifeBench();
  next.recover(bench.store);
  next.put('k', 10, client);
  t.equal(next.code, Code.TOO_OLD);
  next.put('k', 11, client);
  t.equal(next.code, Code.APPLIED);
  t.equal(next.stateOf('k'), 'stands 11/1 #3');
  t.end();
});

t.test('LIFE-15: with memory short tombstones go before the horizon, the oldest first', (t) => {
  const bench = new LifeBench();
  let ms = 0;
  for (; bench.fill < 0.9; ms += 10_000) {
    bench.put(`filler${ms}`, ms, { value: 'x'.repeat(12_000) });
    bench.remove(`gone${ms}`, ms + 1);
  }
  const all = bench.tombstones;
  t.ok(all > 100 && ms < HORIZON);
  bench.pass(ms);
  t.same(bench.proposal(), [], 'not before the database has them');
  bench.flush();
  const left: number[] = [];
  for (let pass = 1; pass < 9; pass++) {
    bench.pass(ms + pass * 1000);
    bench.commit();
    bench.pass(ms + pass * 1000);
    left.push(bench.tombstones);
    const youngest = bench.stateOf(`gone${ms - 10_000}`);
    t.equal(youngest === '', bench.tombstones === 0, 'the oldest first');
  }
  t.ok(left[0] > 0, `of ${all} left after each pass: ${left.join()}`);
  t.equal(left.at(-1), 0);
  t.end();
});

t.test('LIFE-20: where nothing is stored, tombstones go by their age alone', (t) => {
  const bench = new LifeBench([], false);
  bench.put('k', 5);
  bench.remove('k', 10);
  const nowMs = age(bench, 20) + 60_000;
  bench.pass(nowMs);
  t.same(bench.proposal(), []);
  t.equal(bench.stateOf('k'), '');
  bench.put('k', 9, client);
  t.equal(bench.code, Code.TOO_OLD);
  t.end();
});
