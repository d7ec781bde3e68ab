import { Code } from '@tidewire/core';
import { LoadClient } from '../load/load-client.js';
import { type LoadReport, runOf } from '../load/plan.js';
import { faultsOf, remarksOf } from '../measure/accounting.js';
import { fill } from '../measure/load-bench.js';
import { describeCpu } from '../measure/process-cpu.js';
import { saturationOf } from '../measure/saturation.js';
import type { Bench, Context, Sample, Scenario } from '../measure/scenario.js';
import type { Side } from '../measure/statistics.js';
import { type TidewireTarget, tidewireTarget } from '../measure/targets.js';

const OVERLOAD = 2;
/** More in flight than the server allows a connection: what is too much must be refused by name. */
const OVERLOAD_SHAPE = { connections: 16, window: 2048 };

/**
 * Theirs is the server's own closed-loop peak; ours what it still acks when twice as much comes by
 * the clock, whether it can be served or not.
 */
export const overload: Scenario = {
  id: 'P16',
  title: 'goodput at 2× overload ÷ own peak',
  unit: 'writes/s',
  bar: 0.85,
  goal: 0.95,
  better: 'higher',
  open: (context) => OverloadBench.open(context),
};

class OverloadBench implements Bench {
  readonly #target: TidewireTarget;
  readonly #client: LoadClient;
  readonly #context: Context;
  #peak: number;

  private constructor(
    target: TidewireTarget,
    client: LoadClient,
    options: { context: Context; peak: number },
  ) {
    this.#target = target;
    this.#client = client;
    this.#context = options.context;
    this.#peak = options.peak;
  }

  static async open(context: Context): Promise<OverloadBench> {
    const target = await tidewireTarget({ ...OVERLOAD_SHAPE, subscribers: 1 });
    try {
      await fill(target);
      const client = await LoadClient.open(target.plan);
      context.progress('finding the peak');
      const peak = await saturationOf(target, client, context);
      return new OverloadBench(target, client, { context, peak });
    } catch (error) {
      await target.stop();
      throw error;
    }
  }

  async measure(side: Side): Promise<Sample> {
    if (side === 'ours') return await this.#measureOverload();
    this.#peak = await saturationOf(this.#target, this.#client, this.#context);
    return { value: this.#peak, notes: ['closed loop, 512 in flight'], faults: [] };
  }

  async close(): Promise<void> {
    await this.#client.close();
    await this.#target.stop();
  }

  async #measureOverload(): Promise<Sample> {
    const { settleMs, measureMs } = this.#context;
    const { pid, plan } = this.#target;
    const rate = OVERLOAD * this.#peak;
    const seen = this.#target.watch?.();
    const run = { ...runOf(0), settleMs, measureMs, rate, watch: [pid] };
    const load = await this.#client.run(run);
    const { notes, faults } = (await seen?.()) ?? { notes: [], faults: [] };
    const cpu = describeCpu(load.cpu, pid, load.seconds);
    return {
      value: load.acked / load.seconds,
      notes: [describeOverload(load, rate), `server CPU: ${cpu}`, ...remarksOf(load), ...notes],
      faults: [...faultsOf(load, plan), ...faults],
      load,
    };
  }
}

function describeOverload(load: LoadReport, rate: number): string {
  const { sent, refused, codes } = load.account;
  const share = Math.round((100 * refused) / sent);
  const overloaded = codes[Code.OVERLOADED];
  return (
    `${Math.round(rate)}/s offered, sent as far as ${OVERLOAD_SHAPE.connections} × ` +
    `${OVERLOAD_SHAPE.window} in flight allow; ${share} % refused (${overloaded} OVERLOADED)`
  );
}
