import t from 'tap';
import { OUTCOME_ABSENT, OUTCOME_FOUND } from '#lib/load/dialect.js';
import { type Distribution, drawRanks, KeySource } from '#lib/load/distribution.js';
import { OperationMix } from '#lib/load/operation-mix.js';
import type { LoadPlan } from '#lib/load/plan.js';
import { SEED } from '#lib/load/random.js';
import { planOf } from '#lib/measure/targets.js';

const KEYS = 1000;

function mixOf(shape: Partial<LoadPlan>, connection = 0): OperationMix {
  const plan = planOf({ keys: KEYS, ...shape }, { dialect: 'tidewire', port: 1 });
  const { distribution } = plan;
  const ranks = distribution === 'sequential' ? new Uint32Array(0) : ranksOf(distribution);
  const { connections } = plan;
  const keys = new KeySource({
    distribution,
    ranks,
    start: plan.firstKey,
    keys: KEYS,
    connection,
    connections,
  });
  return new OperationMix(plan, { keys, connection });
}

function ranksOf(distribution: Distribution): Uint32Array {
  return drawRanks(distribution, KEYS, SEED, 10_000);
}

t.test('PERF-40: a read-modify-write puts the key that was read, once it was found', async (t) => {
  const mix = mixOf({ getShare: 1, modifyShare: 1 });
  t.equal(mix.next(), true);
  const first = mix.keyOf(1);
  t.equal(mix.next(), true, 'not before the answer');
  mix.keyOf(2);
  mix.onAnswer(2, OUTCOME_ABSENT);
  t.equal(mix.next(), true, 'not of what is not there');
  mix.keyOf(3);
  mix.onAnswer(1, OUTCOME_FOUND);
  t.equal(mix.next(), false);
  t.equal(mix.keyOf(4), first);
  t.equal(mix.next(), true, 'and only once');
});

t.test('PERF-41: half of the reads are modified where half are meant to be', async (t) => {
  const mix = mixOf({ getShare: 1, modifyShare: 0.5 });
  let puts = 0;
  const operations = 10_000;
  for (let request = 0; request < operations; request++) {
    const isGet = mix.next();
    mix.keyOf(request);
    if (isGet) mix.onAnswer(request, OUTCOME_FOUND);
    else puts++;
  }
  t.ok(Math.abs(puts - operations / 3) < 5 * Math.sqrt(operations / 4), `${puts} puts`);
});

t.test(
  'PERF-42: inserts of all connections are new keys, none twice, read as the latest',
  async (t) => {
    const inserted: number[] = [];
    for (const connection of [0, 1, 2]) {
      const mix = mixOf({ distribution: 'latest', getShare: 0, connections: 3 }, connection);
      for (let request = 0; request < 100; request++) {
        mix.next();
        inserted.push(mix.keyOf(request));
      }
    }
    t.equal(new Set(inserted).size, 300);
    t.equal(Math.min(...inserted), KEYS);
    t.equal(Math.max(...inserted), KEYS + 299);
  },
);

t.test('PERF-43: the latest are keys that exist: own inserts, then the old ones', async (t) => {
  const ranks = Uint32Array.of(0, 1, 2, 1002);
  const keys = new KeySource({
    distribution: 'latest',
    ranks,
    start: 0,
    keys: KEYS,
    connection: 1,
    connections: 3,
  });
  t.equal(keys.insert(), KEYS + 1);
  t.equal(keys.insert(), KEYS + 4);
  t.same([keys.next(), keys.next(), keys.next()], [KEYS + 4, KEYS + 1, KEYS - 1]);
  t.equal(keys.next(), 0, 'none before the first');
});
