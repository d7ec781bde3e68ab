import { LoadClient } from '../load/load-client.js';
import { type LoadReport, type RunPlan, runOf } from '../load/plan.js';
import { faultsOf, remarksOf } from './accounting.js';
import { cpuSecondsOf, describeCpu } from './process-cpu.js';
import type { Bench, Context, Sample } from './scenario.js';
import { median, type Side } from './statistics.js';
import type { LoadShape, Target } from './targets.js';

/** Pairs of the side figure under another distribution. */
const OTHER_ROUNDS = 2;

/** What a load run says: acked operations a second, or what one costs the server. */
export type Figure = (report: LoadReport, target: Target) => number;

export const ackedPerSecond: Figure = (report) => report.acked / report.seconds;

/** Microseconds of the server's own threads; its database's processes are not among them. */
export const serverMicrosPerOperation: Figure = (report, target) =>
  (cpuSecondsOf(report.cpu, target.pid) / report.acked) * 1e6;

/** Load on two servers in turn. */
export class LoadBench implements Bench {
  readonly targets: Readonly<Record<Side, Target>>;
  readonly clients: Readonly<Record<Side, LoadClient>>;
  readonly #figure: Figure;
  readonly #context: Context;

  private constructor(
    targets: Record<Side, Target>,
    clients: Record<Side, LoadClient>,
    figure: Figure,
    context: Context,
  ) {
    this.targets = targets;
    this.clients = clients;
    this.#figure = figure;
    this.#context = context;
  }

  /** Starts both servers, writes every key once, and opens the connections. */
  static async open(
    start: Record<Side, () => Promise<Target>>,
    figure: Figure,
    context: Context,
  ): Promise<LoadBench> {
    const theirs = await start.theirs();
    let ours: Target | undefined;
    try {
      ours = await start.ours();
      const targets = { ours, theirs };
      context.progress('writing every key once');
      await fill(ours);
      await fill(theirs);
      return new LoadBench(targets, await clientsOf(targets), figure, context);
    } catch (error) {
      await theirs.stop();
      await ours?.stop();
      throw error;
    }
  }

  /** With `run`: at a rate, or in another window of time. */
  async measure(side: Side, run: Partial<RunPlan> = {}): Promise<Sample> {
    return await this.#sample(this.clients[side], this.targets[side], run);
  }

  /** The same load with keys drawn otherwise: a note with the ratio, and the faults seen. */
  async finishWith(shape: LoadShape, name: string): Promise<{ notes: string[]; faults: string[] }> {
    const targets = {
      ours: { ...this.targets.ours, plan: { ...this.targets.ours.plan, ...shape } },
      theirs: { ...this.targets.theirs, plan: { ...this.targets.theirs.plan, ...shape } },
    };
    const clients = await clientsOf(targets);
    const ratios: number[] = [];
    const faults: string[] = [];
    for (let round = 0; round < OTHER_ROUNDS; round++) {
      const theirs = await this.#sample(clients.theirs, targets.theirs);
      const ours = await this.#sample(clients.ours, targets.ours);
      ratios.push(ours.value / theirs.value);
      faults.push(...ours.faults, ...theirs.faults);
    }
    await clients.ours.close();
    await clients.theirs.close();
    const note = `${name}: ratio ${median(ratios).toFixed(2)} (${OTHER_ROUNDS} rounds)`;
    return { notes: [note], faults: faults.map((fault) => `${name}: ${fault}`) };
  }

  async close(): Promise<void> {
    await this.clients.ours.close();
    await this.clients.theirs.close();
    await this.targets.theirs.stop();
    await this.targets.ours.stop();
  }

  async #sample(client: LoadClient, target: Target, run: Partial<RunPlan> = {}): Promise<Sample> {
    const { settleMs, measureMs } = this.#context;
    const watch = [target.pid];
    const seen = target.watch?.();
    const load = await client.run({ ...runOf(0), settleMs, measureMs, watch, ...run });
    const { notes, faults } = (await seen?.()) ?? { notes: [], faults: [] };
    const cpu = describeCpu(load.cpu, target.pid, load.seconds);
    return {
      value: this.#figure(load, target),
      notes: [`server CPU: ${cpu}`, ...remarksOf(load), ...notes],
      faults: [...faultsOf(load, target.plan), ...faults],
      load,
    };
  }
}

async function clientsOf(targets: Record<Side, Target>): Promise<Record<Side, LoadClient>> {
  const ours = await LoadClient.open(targets.ours.plan);
  try {
    return { ours, theirs: await LoadClient.open(targets.theirs.plan) };
  } catch (error) {
    await ours.close();
    throw error;
  }
}

/** Writes every key once; an echo has nothing to fill. */
export async function fill(target: Target): Promise<void> {
  if (target.plan.dialect === 'echo') return;
  const plan = {
    ...target.plan,
    distribution: 'sequential' as const,
    connections: 8,
    window: 64,
    operationsPerFrame: 1,
    getShare: 0,
    modifyShare: 0,
    safe: false,
    subscribers: 0,
  };
  const client = await LoadClient.open(plan);
  try {
    const faults = faultsOf(await client.run(runOf(plan.keys)), plan);
    if (faults.length > 0) throw new Error(`filling the store: ${faults.join('; ')}`);
  } finally {
    await client.close();
  }
}
