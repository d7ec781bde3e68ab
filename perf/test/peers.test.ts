import t from 'tap';
import { LoadClient } from '#lib/load/load-client.js';
import { runOf } from '#lib/load/plan.js';
import { faultsOf } from '#lib/measure/accounting.js';
import { cpuSecondsOf } from '#lib/measure/process-cpu.js';
import { PeerMissingError } from '#lib/measure/scenario.js';
import { echoTarget, redisTarget } from '#lib/measure/targets.js';

const RUN = runOf(8000);

t.test('PERF-25: the load on the echo server adds up, its CPU is seen', async (t) => {
  const target = await echoTarget({ operationsPerFrame: 16 });
  t.teardown(() => target.stop());
  const client = await LoadClient.open(target.plan);
  t.teardown(() => client.close());
  const report = await client.run({ ...RUN, operations: 0, measureMs: 500, watch: [target.pid] });
  t.same(faultsOf(report, target.plan), []);
  t.ok(cpuSecondsOf(report.cpu, target.pid) > 0);
});

t.test('PERF-26: the load on Redis adds up, and Redis holds the keys', async (t) => {
  const target = await redisTarget({ keys: 8000, distribution: 'sequential' }).catch((error) => {
    if (error instanceof PeerMissingError) return error;
    throw error;
  });
  if (target instanceof PeerMissingError) {
    t.skip(`Redis is not installed: ${target.message}`, () => {});
    return;
  }
  t.teardown(() => target.stop());
  const client = await LoadClient.open(target.plan);
  t.same(faultsOf(await client.run(RUN), target.plan), []);
  await client.close();
  t.equal(await target.redis.info('db0'), 8000);
  const plan = { ...target.plan, getShare: 1, distribution: 'uniform' as const };
  const reader = await LoadClient.open(plan);
  t.teardown(() => reader.close());
  const report = await reader.run(RUN);
  t.same(faultsOf(report, plan), []);
  t.equal(report.account.codes[4], 8000, 'every get finds its key');
});
