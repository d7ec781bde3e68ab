import { LoadClient } from '../load/load-client.js';
import { runOf } from '../load/plan.js';
import { faultsOf } from '../measure/accounting.js';
import { ackedPerSecond, LoadBench, serverMicrosPerOperation } from '../measure/load-bench.js';
import type { Context } from '../measure/scenario.js';
import { interleaved, median, type Side } from '../measure/statistics.js';
import { type Target, tidewireTarget } from '../measure/targets.js';

const SLOWED: URL = new URL('./slowed-process.js', import.meta.url);
const CHEATING: URL = new URL('./cheating-process.js', import.meta.url);

/** What a load process may do wrong, and a word of the fault that must be found. */
export const CHEATS: Readonly<Record<string, RegExp>> = {
  unsent: /never answered/,
  claimed: /events were due/,
  twice: /no open request/,
  deaf: /events were due/,
};

const ROUNDS = 3;
/** The busy loop in the slowed server, and what the harness must see of it. */
const BURDEN_MICROS = 5;
const BURDEN_SEEN_MIN = 3;
/** The gateway polls more for each write while it waits for a slow worker, most of all on busy cores. */
const BURDEN_SEEN_MAX = 15;
const RATIO_MAX = 0.9;
const CHEAT_DRAIN_MS = 500;

/** The load process with `cheat` in it on `target`; returns the faults that the harness finds. */
export async function faultsOfCheat(target: Target, cheat: string): Promise<string[]> {
  const preload = new URL(CHEATING);
  preload.searchParams.set('cheat', cheat);
  const client = await LoadClient.open(target.plan, preload);
  try {
    const run = { ...runOf(0), measureMs: 200, drainMs: CHEAT_DRAIN_MS };
    return faultsOf(await client.run(run), target.plan);
  } finally {
    await client.close();
  }
}

/** Proves that the harness sees cheating; returns the exit code. */
export async function runSelfTest(context: Context, say: (text: string) => void): Promise<number> {
  const start = (preload?: URL): Promise<Target> =>
    tidewireTarget({ subscribers: 1 }, preload === undefined ? {} : { preload });
  const sides = { ours: () => start(SLOWED), theirs: () => start() };
  const bench = await LoadBench.open(sides, ackedPerSecond, context);
  try {
    const isSlowSeen = await seesSlowness(bench, say);
    const areCheatsSeen = await seesCheats(bench.targets.theirs, say);
    return isSlowSeen && areCheatsSeen ? 0 : 1;
  } finally {
    await bench.close();
  }
}

async function seesSlowness(bench: LoadBench, say: (text: string) => void): Promise<boolean> {
  const rates: Record<Side, number[]> = { ours: [], theirs: [] };
  const micros: Record<Side, number[]> = { ours: [], theirs: [] };
  const faults: string[] = [];
  for (const side of interleaved(ROUNDS)) {
    const sample = await bench.measure(side);
    rates[side].push(sample.value);
    faults.push(...sample.faults);
    if (sample.load !== undefined)
      micros[side].push(serverMicrosPerOperation(sample.load, bench.targets[side]));
  }
  const ratio = median(rates.ours.map((rate, round) => rate / rates.theirs[round]));
  const more = median(micros.ours) - median(micros.theirs);
  const isSeen = ratio < RATIO_MAX && more > BURDEN_SEEN_MIN && more < BURDEN_SEEN_MAX;
  say(
    `${verdict(isSeen && faults.length === 0)} a busy loop of ${BURDEN_MICROS} µs in the worker: ` +
      `server CPU ${more.toFixed(1)} µs a write more, ${ratio.toFixed(2)} of the writes/s ` +
      `(${Math.round(median(rates.ours))} ÷ ${Math.round(median(rates.theirs))})`,
  );
  for (const fault of faults) say(`  FAULT: ${fault}`);
  return isSeen && faults.length === 0;
}

async function seesCheats(target: Target, say: (text: string) => void): Promise<boolean> {
  let areAllSeen = true;
  for (const [cheat, fault] of Object.entries(CHEATS)) {
    const faults = await faultsOfCheat(target, cheat);
    const isSeen = faults.some((text) => fault.test(text));
    areAllSeen &&= isSeen;
    say(`${verdict(isSeen)} a client that cheats (${cheat}): ${faults.join('; ') || 'no fault'}`);
  }
  const faults = await faultsOfCheat(target, 'none');
  say(`${verdict(faults.length === 0)} an honest client: ${faults.join('; ') || 'no fault'}`);
  return areAllSeen && faults.length === 0;
}

function verdict(isSeen: boolean): string {
  return isSeen ? 'seen   ' : 'UNSEEN ';
}
