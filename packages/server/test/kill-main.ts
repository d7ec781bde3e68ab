import { parseArgs } from 'node:util';
import { killWorkers } from './kill-run.js';
import { SEED, SeededRandom } from './seeded-random.js';

const HELP = `Usage: pnpm -s kill-workers [--kills 200]

Kills workers under load, with 1,000 subscriptions and a database behind them, and prints what came of
it. SEED=N repeats a run. Exits 1 if a write, an event or an answer was lost or came twice.`;
/** So many meet the rarest fault, one in 200, but for one run in 20,000. */
const LONG_KILLS = 2000;
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
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
// By chance a short run has not met every way to die.
const isTooTame = kills >= LONG_KILLS && (report.hangs === 0 || !report.faults['exhaust']);
process.exitCode = report.faultsFound.length === 0 && !isTooTame ? 0 : 1;
