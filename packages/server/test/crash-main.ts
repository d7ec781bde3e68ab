import { parseArgs } from 'node:util';
import { CrashRun, FAULTS, type Fault, isOfServer, WITH_PROCESSORS } from './crash-run.js';
import { OutageDatabase } from './outage-database.js';
import { MORTAL, RunningServer } from './running-server.js';
import { SEED, SeededRandom } from './seeded-random.js';

const HELP = `Usage: pnpm -s crash [--cycles 200] [--seed N] [--seconds-a-cycle 2] [--workers 1]
                     [--fault ${FAULTS.join('|')}|all]

Loads a real server, lets a fault befall it, and compares what clients were told with memory and
table; again and again. Exits 1 if a promise was broken, or nothing was ever compared.`;

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(SEED) },
    'seconds-a-cycle': { type: 'string', default: '2' },
    workers: { type: 'string', default: '1' },
    fault: { type: 'string', default: 'kill' },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  const faults = values.fault === 'all' ? FAULTS : FAULTS.filter((each) => each === values.fault);
  if (values.help || faults.length === 0) {
    console.log(HELP);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const teardowns: (() => unknown)[] = [];
  const t = { teardown: (action: () => unknown): void => void teardowns.unshift(action) };
  const end = async (): Promise<void> => {
    for (const teardown of teardowns.splice(0)) await teardown();
  };
  process.once('SIGINT', () => void end().then(() => process.exit(130)));
  try {
    await cycles(t, faults);
  } finally {
    await end();
  }
}

async function cycles(
  t: { teardown: (action: () => unknown) => void },
  faults: readonly Fault[],
): Promise<void> {
  const seed = Number(values.seed);
  console.log(`seed ${seed}, faults: ${faults.join(', ')}`);
  const isEmbedded = faults.every(isOfServer);
  const database = isEmbedded ? undefined : await OutageDatabase.start(t);
  const args = ['--workers', values.workers, ...WITH_PROCESSORS];
  if (database !== undefined) args.push('--database-url', database.url);
  const server = await RunningServer.start(t, { args, env: MORTAL });
  const cycleMs = Number(values['seconds-a-cycle']) * 1000;
  const run = new CrashRun({ server, ...(database && { database }), seed, cycleMs });
  const random = new SeededRandom(seed);
  const cycles = Number(values.cycles);
  let cycle = 0;
  while (cycle < cycles && run.ledger.violations.length === 0) {
    const fault = random.pick(faults);
    await run.cycle(fault);
    console.log(`cycle ${++cycle}/${cycles} ${fault.padEnd(9)} ${countsOf(run)}`);
  }
  const { violations } = run.ledger;
  if (violations.length === 0) await run.conclude();
  for (const violation of violations) console.log(`BROKEN ${violation}`);
  console.log(`${cycle} cycles, ${countsOf(run)}, violations ${violations.length}, seed ${seed}`);
  process.exitCode = violations.length === 0 && run.agreements > 0 ? 0 : 1;
}

function countsOf({ ledger, agreements }: CrashRun): string {
  const { fast, safe, notYetDurable, reads, refused, lost, lostMs } = ledger.counts;
  return (
    `FAST ${fast} (lost ${lost}, the oldest ${lostMs} ms old), SAFE ${safe} (not yet durable ${notYetDurable}), ` +
    `reads ${reads}, refused ${refused}, agreements ${agreements}`
  );
}

await main();
