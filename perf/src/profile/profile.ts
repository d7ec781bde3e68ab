import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LoadClient } from '../load/load-client.js';
import { type LoadReport, runOf } from '../load/plan.js';
import { faultsOf } from '../measure/accounting.js';
import { fill } from '../measure/load-bench.js';
import { describeCpu } from '../measure/process-cpu.js';
import { tidewireTarget } from '../measure/targets.js';
import { type CpuProfile, costsOf, type Frame, framesOf } from './cpu-profile.js';
import { flameGraph } from './flame-graph.js';

const PRELOAD: URL = new URL('./profiled-process.js', import.meta.url);
const COMPLETE = 'complete';
const ENDING = '.cpuprofile';
const SETTLE_MS = 2000;
const WRITING_MS = 20_000;
const COSTS_SHOWN = 3;

/** What a thread is known by: a file that only it runs. */
const THREADS: readonly (readonly [file: string, name: string])[] = [
  ['worker.js', 'partition-worker'],
  ['persistence-engine.js', 'persistence'],
  ['persistence-main.js', 'persistence'],
];

/**
 * The server under P1's load, sampled for `measureMs`: a flame graph a thread and `costs.txt` in
 * `folder`. Returns the text; sampling costs the server something, so it tells no throughput.
 */
export async function profileServer(folder: string, measureMs: number): Promise<string> {
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(folder)) if (isOurs(file)) rmSync(join(folder, file));
  const preload = new URL(PRELOAD);
  preload.searchParams.set('folder', resolve(folder));
  const target = await tidewireTarget({ subscribers: 1 }, { writesBehind: false, preload });
  try {
    await fill(target);
    const client = await LoadClient.open(target.plan);
    const watch = [target.pid];
    const running = client.run({ ...runOf(0), settleMs: SETTLE_MS, measureMs, watch });
    await sleep(SETTLE_MS);
    process.kill(target.pid, 'SIGUSR2');
    await sleep(measureMs);
    process.kill(target.pid, 'SIGUSR2');
    const load = await running;
    await client.close();
    await written(join(folder, COMPLETE));
    const faults = faultsOf(load, target.plan).map((fault) => `FAULT: ${fault}`);
    const cpu = describeCpu(load.cpu, target.pid, load.seconds);
    return writeGraphs(folder, load, [...faults, `server CPU: ${cpu}`]);
  } finally {
    await target.stop();
  }
}

async function written(file: string): Promise<void> {
  const deadline = Date.now() + WRITING_MS;
  while (!existsSync(file)) {
    if (Date.now() > deadline) throw new Error('the server did not write its profiles');
    await sleep(50);
  }
  rmSync(file);
}

function writeGraphs(folder: string, load: LoadReport, remarks: readonly string[]): string {
  const lines = [`${load.acked} writes acked in ${load.seconds.toFixed(1)} s`, ...remarks];
  const names = new Map<string, number>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith(ENDING))) {
    const profile = JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile;
    const { root, waitingMicros } = framesOf(profile);
    const name = nameOf(file, profile, names);
    const busyMicros = root.totalMicros;
    const busy = ((100 * busyMicros) / (busyMicros + waitingMicros)).toFixed(0);
    const perWrite = (micros: number): string => (micros / load.acked).toFixed(2);
    const head = `${name}: busy ${busy} % of the time, ${perWrite(busyMicros)} µs a write`;
    writeFileSync(join(folder, `${name}.svg`), flameGraph(root, `${head} (P1)`));
    lines.push('', head, ...largest(root, perWrite));
  }
  const text = lines.join('\n');
  writeFileSync(join(folder, 'costs.txt'), `${text}\n`);
  return text;
}

function largest(root: Frame, perWrite: (micros: number) => string): string[] {
  return costsOf(root)
    .slice(0, COSTS_SHOWN)
    .map(({ name, micros }) => {
      const share = ((100 * micros) / root.totalMicros).toFixed(1);
      return `  ${share.padStart(5)} %  ${perWrite(micros)} µs  ${name}`;
    });
}

/** `main`, or what the thread's own files say, numbered where there are several. */
function nameOf(file: string, profile: CpuProfile, names: Map<string, number>): string {
  if (file === `main${ENDING}`) return 'main';
  const urls = profile.nodes.map((node) => node.callFrame.url);
  const isOf = (ending: string): boolean => urls.some((url) => url.endsWith(`/dist/${ending}`));
  const known = THREADS.find(([ending]) => isOf(ending))?.[1] ?? file.slice(0, -ENDING.length);
  const count = (names.get(known) ?? 0) + 1;
  names.set(known, count);
  return count === 1 ? known : `${known}-${count}`;
}

function isOurs(file: string): boolean {
  return file.endsWith(ENDING) || file === COMPLETE;
}
