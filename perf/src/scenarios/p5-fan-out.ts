import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Figure, LoadBench } from '../measure/load-bench.js';
import { cpuSecondsOf } from '../measure/process-cpu.js';
import type { Bench, Context, Sample, Scenario } from '../measure/scenario.js';
import type { Side } from '../measure/statistics.js';
import { type LoadShape, planOf, type Target, tidewireTarget } from '../measure/targets.js';
import { stopChild, waitForLine } from '../peers/child-server.js';

const ENTRY: string = fileURLToPath(new URL('./publish-server.js', import.meta.url));
const START_MS = 10_000;
const STOP_MS = 5000;

/** One writer whose window bounds what is under way to all subscribers together. */
const SHAPE: LoadShape = { connections: 1, window: 64, subscribers: 1000 };

const delivered: Figure = (load) => load.delivered / load.seconds;

/** Both send the same events to as many sockets of the same load process. */
export const fanOut: Scenario = {
  id: 'P5',
  title: 'deliveries of one hot map to 1,000 subscribers ÷ raw app.publish of the same events',
  unit: 'deliveries/s',
  bar: 0.8,
  goal: 0.95,
  better: 'higher',
  open: (context) => FanOutBench.open(context),
};

class FanOutBench implements Bench {
  readonly #bench: LoadBench;

  private constructor(bench: LoadBench) {
    this.#bench = bench;
  }

  static async open(context: Context): Promise<FanOutBench> {
    const start = { ours: () => tidewireTarget(SHAPE), theirs: () => publishTarget(SHAPE) };
    return new FanOutBench(await LoadBench.open(start, delivered, context));
  }

  async measure(side: Side): Promise<Sample> {
    const sample = await this.#bench.measure(side);
    const { load } = sample;
    if (load === undefined) return sample;
    const micros = (cpuSecondsOf(load.cpu, this.#bench.targets[side].pid) / load.delivered) * 1e6;
    const note = `server CPU ${micros.toFixed(2)} µs a delivery, ${load.acked} writes`;
    return { ...sample, notes: [note, ...sample.notes] };
  }

  async close(): Promise<void> {
    await this.#bench.close();
  }
}

async function publishTarget(shape: LoadShape): Promise<Target> {
  const plan = planOf(shape, { dialect: 'tidewire', port: 0 });
  const child: ChildProcess = spawn(process.execPath, [ENTRY, String(plan.valueBytes)]);
  const [, port] = await waitForLine(child, /publish ready (\d+)/, START_MS);
  return {
    pid: child.pid ?? 0,
    plan: { ...plan, port: Number(port) },
    stop: async () => void (await stopChild(child, STOP_MS)),
  };
}
