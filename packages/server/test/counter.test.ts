import t from 'tap';
import { countTogether } from './counter-run.js';
import { SEED, SeededRandom } from './seeded-random.js';

t.test('POOL-10: clients count exactly while workers die and connections break', async (t) => {
  t.comment(`SEED=${SEED}`);
  const random = new SeededRandom(SEED);
  const options = { clients: 50, increments: 100, kills: 3, drops: 25, random };
  const { sum, expected, kills, drops } = await countTogether(t, options);
  t.equal(sum, expected);
  t.equal(kills, 3);
  t.ok(drops > 15, 'connections were broken');
});
