import { LoadClient } from '../load/load-client.js';
import { type LoadPlan, runOf } from '../load/plan.js';
import { PREDICATES_A_CONNECTION } from '../load/predicate-load.js';
import { faultsOf } from '../measure/accounting.js';
import { ackedPerSecond, fill, LoadBench } from '../measure/load-bench.js';
import type { Bench, Context, Finish, Sample, Scenario } from '../measure/scenario.js';
import type { Side } from '../measure/statistics.js';
import { type LoadShape, type Target, tidewireTarget } from '../measure/targets.js';

const MANY = 10_000;
const FEW = 10;
const CURVE: readonly number[] = [10, 100, 1000, 10_000, 100_000];
const CURVE_SETTLE_MS = 500;

/** Half ranges, half equalities; each write updates exactly four of them on both sides. */
export const predicates: Scenario = {
  id: 'P6',
  title: 'writes with 10,000 predicates registered ÷ with 10, four of them matching each write',
  unit: 'writes/s',
  bar: 0.5,
  goal: 0.9,
  better: 'higher',
  open: (context) => PredicateBench.open(context),
};

class PredicateBench implements Bench {
  readonly #bench: LoadBench;
  readonly #context: Context;

  private constructor(bench: LoadBench, context: Context) {
    this.#bench = bench;
    this.#context = context;
  }

  static async open(context: Context): Promise<PredicateBench> {
    const start = {
      ours: () => tidewireTarget(shapeOf(MANY)),
      theirs: () => tidewireTarget(shapeOf(FEW)),
    };
    return new PredicateBench(await LoadBench.open(start, ackedPerSecond, context), context);
  }

  async measure(side: Side): Promise<Sample> {
    return await this.#bench.measure(side);
  }

  /** The curve is drawn on one server, whose predicates come and go with the load process. */
  async finish(): Promise<Finish> {
    await this.#bench.clients.ours.close();
    const target = this.#bench.targets.ours;
    const points: [number, number][] = [];
    const faults: string[] = [];
    for (const count of CURVE) {
      this.#context.progress(`the curve: ${count} predicates`);
      const plan = { ...target.plan, ...shapeOf(count) };
      const { value, faults: seen } = await this.#point(target, plan);
      points.push([count, value]);
      faults.push(...seen.map((fault) => `${count} predicates: ${fault}`));
    }
    const rates = points.map(([count, value]) => `${count}: ${Math.round(value)}`);
    const curve = {
      title: 'acked by predicates registered',
      xLabel: 'predicates',
      yLabel: '/s',
      points,
      isLogarithmic: true,
    };
    return { notes: [`/s by predicates: ${rates.join(', ')}`], faults, curves: [curve] };
  }

  async close(): Promise<void> {
    await this.#bench.close();
  }

  async #point(target: Target, plan: LoadPlan): Promise<{ value: number; faults: string[] }> {
    await fill({ ...target, plan });
    const client = await LoadClient.open(plan);
    try {
      const { measureMs } = this.#context;
      const run = { ...runOf(0), settleMs: CURVE_SETTLE_MS, measureMs };
      const load = await client.run(run);
      return { value: ackedPerSecond(load, target), faults: faultsOf(load, plan) };
    } finally {
      await client.close();
    }
  }
}

function shapeOf(count: number): LoadShape {
  return {
    predicates: count,
    subscription: 'predicates',
    subscribers: Math.max(FEW, Math.ceil(count / PREDICATES_A_CONNECTION)),
  };
}
