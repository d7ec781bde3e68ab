import { parseArgs } from 'node:util';
import { countTogether } from './counter-run.js';
import { SEED, SeededRandom } from './seeded-random.js';

const HELP = `Usage: pnpm -s count-together [--clients 1000] [--increments 1000] [--kills 20] [--drops 500]

Clients count one number together while workers die and connections break. Prints what came of it;
SEED=N repeats a run. Exits 1 if the sum is not exact.`;

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '1000' },
    increments: { type: 'string', default: '1000' },
    kills: { type: 'string', default: '20' },
    drops: { type: 'string', default: '500' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const teardowns: (() => unknown)[] = [];
const t = { teardown: (action: () => unknown): void => void teardowns.unshift(action) };
const beganMs = performance.now();
try {
  const report = await countTogether(t, {
    clients: Number(values.clients),
    increments: Number(values.increments),
    kills: Number(values.kills),
    drops: Number(values.drops),
    random: new SeededRandom(SEED),
  });
  const seconds = Math.round((performance.now() - beganMs) / 1000);
  console.log(JSON.stringify({ seed: SEED, seconds, ...report }));
  process.exitCode = report.sum === report.expected ? 0 : 1;
} finally {
  for (const teardown of teardowns) await teardown();
}
