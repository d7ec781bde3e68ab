import { parseArgs } from 'node:util';
import { killWorkers } from './kill-run.js';
import { SEED, SeededRandom } from './seeded-random.js';

/** Command: kills workers under load as often as asked, and says what came of it. */
const { values } = parseArgs({ options: { kills: { type: 'string', default: '200' } } });
const kills = Number(values.kills);
if (!Number.isInteger(kills) || kills < 1) throw new Error('--kills is a whole number from 1 on.');
const beganMs = performance.now();
const report = await killWorkers({
  kills,
  writers: 32,
  subscriptions: 1000,
  random: new SeededRandom(SEED),
  onKill: (count) => {
    if (count % 100 === 0) process.stderr.write(`${count} killed\n`);
  },
});
const seconds = Math.round((performance.now() - beganMs) / 1000);
console.log(JSON.stringify({ seed: SEED, seconds, ...report }));
process.exitCode = report.faultsFound.length === 0 ? 0 : 1;
