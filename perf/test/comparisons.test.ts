import t, { type Test } from 'tap';
import { LoadClient } from '#lib/load/load-client.js';
import { runOf } from '#lib/load/plan.js';
import { faultsOf } from '#lib/measure/accounting.js';
import {
  deepstreamTarget,
  natsTarget,
  type PeerTarget,
  postgresTarget,
  redisPublishTarget,
} from '#lib/measure/peer-targets.js';
import { PeerMissingError } from '#lib/measure/scenario.js';
import { lookAtCount } from '#lib/measure/second-look.js';
import { readOptions } from '#lib/options.js';
import { SCENARIOS } from '#lib/scenarios/catalogue.js';

const KEYS = 2000;
const SHAPE = {
  connections: 1,
  keys: KEYS,
  distribution: 'sequential' as const,
  subscribers: 1,
};

/** Runs the load on a peer and compares with the peer's own counts; nothing if it is missing. */
async function checkPeer(t: Test, start: () => Promise<PeerTarget>): Promise<void> {
  const target = await start().catch((error) => {
    if (error instanceof PeerMissingError) return error;
    throw error;
  });
  if (target instanceof PeerMissingError) {
    t.skip(`the peer is not installed: ${target.message}`, () => {});
    return;
  }
  t.teardown(() => target.stop());
  const client = await LoadClient.open(target.plan);
  t.teardown(() => client.close());
  const report = await client.run(runOf(KEYS));
  t.same(faultsOf(report, target.plan), []);
  t.equal(report.account.acked, KEYS);
  t.equal(report.events.received, KEYS * target.plan.subscribers);
  if (target.countKeys !== undefined) t.equal(await target.countKeys(), KEYS);
  if (target.countWrites !== undefined) t.equal(await target.countWrites(), KEYS);
}

t.test('PERF-71: SET and PUBLISH on Redis add up, with a log on disk and without', async (t) => {
  await checkPeer(t, () => redisPublishTarget(SHAPE, 'off'));
  await checkPeer(t, () => redisPublishTarget(SHAPE, 'always'));
});

t.test('PERF-72: puts into NATS key-value add up, and the watcher gets each', async (t) => {
  await checkPeer(t, () => natsTarget(SHAPE));
});

t.test('PERF-73: upserts into a plain Postgres add up, and it holds the rows', async (t) => {
  await checkPeer(t, () => postgresTarget(SHAPE));
});

t.test('PERF-74: records of deepstream add up, and the subscriber gets each', async (t) => {
  await checkPeer(t, () => deepstreamTarget(SHAPE));
});

t.test('PERF-75: comparisons run by their names only, or all of them as versus', async (t) => {
  const isComparison = (id: string): boolean => id.startsWith('vs-');
  const idsOf = (words: string[]): string[] =>
    readOptions(words, SCENARIOS).scenarios.map((scenario) => scenario.id);
  t.notOk(idsOf([]).some(isComparison));
  t.same(idsOf(['vs-nats']), ['vs-nats']);
  t.same(idsOf(['versus']), SCENARIOS.map((scenario) => scenario.id).filter(isComparison));
});

t.test('PERF-76: a count more than 10 % from our own is a fault', async (t) => {
  t.same(lookAtCount('theirs', 1000, 1050).faults, []);
  t.equal(lookAtCount('theirs', 850, 1000).faults.length, 1);
  t.equal(lookAtCount('theirs', 1150, 1000).faults.length, 1);
});
