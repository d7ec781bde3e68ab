import { LoadClient } from '../load/load-client.js';
import { runOf } from '../load/plan.js';
import { faultsOf, remarksOf } from '../measure/accounting.js';
import { ackedPerSecond, fill } from '../measure/load-bench.js';
import type { Bench, Context, Curve, Sample, Scenario } from '../measure/scenario.js';
import type { Side } from '../measure/statistics.js';
import { type LoadShape, redisTarget, type Target, tidewireTarget } from '../measure/targets.js';

const CONNECTIONS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128];
const SHAPE: LoadShape = { window: 16 };
const SETTLE_MS = 300;

/** The figure is that of the most connections; the curve is in the report. */
export const connectionCurve: Scenario = {
  id: 'curve',
  title: 'acked FAST writes over 1 … 128 connections × 16 in flight, at 128 ÷ Redis SET',
  unit: 'writes/s',
  bar: 0,
  goal: 1,
  better: 'higher',
  isByNameOnly: true,
  open: async (context) => {
    const theirs = await redisTarget(SHAPE);
    const ours = await tidewireTarget(SHAPE).catch(async (error) => {
      await theirs.stop();
      throw error;
    });
    const bench = new CurveBench({ ours, theirs }, context);
    await bench.fill();
    return bench;
  },
};

class CurveBench implements Bench {
  readonly #targets: Readonly<Record<Side, Target>>;
  readonly #context: Context;

  constructor(targets: Record<Side, Target>, context: Context) {
    this.#targets = targets;
    this.#context = context;
  }

  async fill(): Promise<void> {
    try {
      await fill(this.#targets.theirs);
      await fill(this.#targets.ours);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async measure(side: Side): Promise<Sample> {
    const target = this.#targets[side];
    const seen = target.watch?.();
    const points: [number, number][] = [];
    const faults: string[] = [];
    let last: Sample = { value: 0, notes: [], faults };
    for (const connections of CONNECTIONS) {
      const plan = { ...target.plan, connections };
      const client = await LoadClient.open(plan);
      const { measureMs } = this.#context;
      const run = { ...runOf(0), settleMs: SETTLE_MS, measureMs: measureMs / 4 };
      const load = await client.run(run);
      await client.close();
      const value = ackedPerSecond(load, target);
      points.push([connections, value]);
      faults.push(...faultsOf(load, plan).map((fault) => `${connections} connections: ${fault}`));
      last = { value, notes: remarksOf(load), faults, load };
    }
    const { notes, faults: later } = (await seen?.()) ?? { notes: [], faults: [] };
    faults.push(...later);
    const rates = points.map(([connections, value]) => `${connections}: ${Math.round(value)}`);
    return {
      ...last,
      notes: [`/s by connections: ${rates.join(', ')}`, ...last.notes, ...notes],
      curves: [curveOf(points)],
    };
  }

  async close(): Promise<void> {
    await this.#targets.theirs.stop();
    await this.#targets.ours.stop();
  }
}

function curveOf(points: Curve['points']): Curve {
  return {
    title: 'acked by connections',
    xLabel: 'connections',
    yLabel: '/s',
    points,
    isLogarithmic: true,
  };
}
