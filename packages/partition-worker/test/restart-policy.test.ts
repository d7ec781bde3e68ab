import { Code, RESTART_STEADY_MS, RESTARTS_FRUITLESS_MAX, WORKER_HANG_MS } from '@tidewire/core';
import { HeartbeatWatch, storeWord, WorkerControl } from '@tidewire/core/threads';
import { OperationKind } from '@tidewire/schemas';
import t from 'tap';
import { type Death, type Deaths, judge, NO_DEATHS, type Verdict } from '#lib/restart-policy.js';
import { Worker } from '#lib/worker.js';
import { doorbells, FakeGateway, saysOutcome, smallMemory } from './worker-fixture.js';

function judgeAll(seen: readonly Death[]): Verdict[] {
  let deaths: Deaths = NO_DEATHS;
  return seen.map((death) => {
    const judged = judge(deaths, death);
    deaths = judged.deaths;
    return judged.verdict;
  });
}

function kinds(seen: readonly Death[]): string[] {
  return judgeAll(seen).map((verdict) => verdict.kind);
}

function delays(seen: readonly Death[]): (number | undefined)[] {
  return judgeAll(seen).map((verdict) => ('delayMs' in verdict ? verdict.delayMs : undefined));
}

const at = (operationAt: number | undefined, hasExecuted = false, livedMs = 0): Death => ({
  hasExecuted,
  livedMs,
  operationAt,
});

t.test('POOL-4: an operation that was under way at two deaths in a row is skipped', async (t) => {
  t.same(kinds([at(8, true), at(8)]), ['RESTART', 'SKIP'], 'also one in the middle of others');
  t.same(kinds([at(8), at(8)]), ['RESTART', 'SKIP']);
  t.match(judgeAll([at(8), at(8)])[1], { operationAt: 8, delayMs: 0 });
  t.same(kinds([at(8), at(undefined)]), ['RESTART', 'RESTART'], 'the second was something else');
  t.same(kinds([at(undefined), at(8)]), ['RESTART', 'RESTART'], 'so was the first');
  t.same(kinds([at(8), at(12, true)]), ['RESTART', 'RESTART'], 'another operation');
  t.same(kinds([at(8), at(undefined), at(8)]), ['RESTART', 'RESTART', 'RESTART'], 'not in a row');
});

t.test('POOL-5: deaths with work done in between are never too many', async (t) => {
  const ofOperations = Array.from({ length: 1000 }, (_, i) => at(i, true));
  t.ok(judgeAll(ofOperations).every((one) => one.kind === 'RESTART' && one.delayMs === 0));
  const ofOthers = Array.from({ length: 1000 }, () => at(undefined, true));
  t.ok(judgeAll(ofOthers).every((one) => one.kind === 'RESTART'));
  const idle = Array.from({ length: RESTARTS_FRUITLESS_MAX + 1 }, () => at(undefined));
  t.same(kinds(idle).lastIndexOf('RESTART'), RESTARTS_FRUITLESS_MAX - 1);
  t.equal(kinds(idle).at(-1), 'GIVE_UP');
});

t.test('POOL-12: deaths that no operation is to blame for come after growing pauses', async (t) => {
  const loaded = Array.from({ length: 12 }, () => at(undefined, true, RESTART_STEADY_MS - 1));
  t.same(delays(loaded), [0, 0, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000]);
  const fifth = (death: Death): Death[] => loaded.with(4, death);
  t.same(delays(fifth(at(8, true))).slice(4, 7), [0, 0, 10], 'an operation was to blame');
  t.same(delays(fifth(at(8))).slice(4, 7), [40, 80, 160], 'one may be under way by chance');
});

t.test('POOL-13: a worker that was steady is started as if it had never died', async (t) => {
  const steady = at(undefined, false, RESTART_STEADY_MS);
  const seen = [...Array(7).fill(at(undefined)), steady, ...Array(7).fill(at(undefined))];
  t.notOk(kinds(seen).includes('GIVE_UP'));
  t.same(delays(seen).slice(6, 10), [160, 0, 0, 10]);
});

t.test('POOL-6: a poisonous operation is answered POISON and does nothing', async (t) => {
  const memory = smallMemory();
  const gateway = new FakeGateway(memory);
  gateway.send(1, { kind: OperationKind.PUT, key: 'a', value: 'one', ms: 1 });
  gateway.send(2, { kind: OperationKind.GET, key: 'a', ms: 2 });
  gateway.send(3, { kind: OperationKind.PUT, key: 'a', value: 'two', ms: 3 });
  gateway.introduce(1, []);
  storeWord(new Int32Array(memory.control), WorkerControl.POISONED, 1);
  const worker = new Worker(memory, doorbells(), 1);
  while (worker.doWork() > 0) gateway.listen();
  t.equal(gateway.heard.length, 3);
  t.ok(saysOutcome(gateway.heard[0], Code.UNSPECIFIED, Code.POISON));
  t.ok(saysOutcome(gateway.heard[1], Code.ABSENT), 'it has done nothing');
  t.ok(saysOutcome(gateway.heard[2], Code.APPLIED), 'and those behind it go on');
});

t.test('POOL-8: a shorter limit counts from the first beat on', async (t) => {
  const watch = new HeartbeatWatch(5, 1000, { hangMs: 100, startMs: WORKER_HANG_MS });
  t.notOk(watch.isHung(5, 1000 + WORKER_HANG_MS - 1), 'it is starting');
  t.notOk(watch.isHung(6, 7000));
  t.notOk(watch.isHung(6, 7099));
  t.ok(watch.isHung(6, 7100));
});

t.test('POOL-7: a worker hangs when its heartbeat stands still for so long', async (t) => {
  const watch = new HeartbeatWatch(5, 1000, { hangMs: WORKER_HANG_MS, startMs: WORKER_HANG_MS });
  t.notOk(watch.isHung(5, 1000 + WORKER_HANG_MS - 1));
  t.ok(watch.isHung(5, 1000 + WORKER_HANG_MS));
  t.notOk(watch.isHung(6, 1000 + WORKER_HANG_MS), 'it beats again');
  t.notOk(watch.isHung(6, 1000 + 2 * WORKER_HANG_MS - 1));
  t.ok(watch.isHung(6, 1000 + 2 * WORKER_HANG_MS));
});
