import { ackedPerSecond, LoadBench } from '../measure/load-bench.js';
import type { PeerTarget } from '../measure/peer-targets.js';
import { cpuSecondsOf } from '../measure/process-cpu.js';
import type { Bench, Context, Sample } from '../measure/scenario.js';
import { median, type Side } from '../measure/statistics.js';
import { type LoadShape, tidewireTarget } from '../measure/targets.js';

/** Two counts of the same operations agree within this. */
const AGREEMENT = 0.1;

/** Acked writes a second beside a peer, and what a write costs either server in CPU. */
export class VersusBench implements Bench {
  readonly #bench: LoadBench;
  readonly #peer: PeerTarget;
  readonly #micros: Record<Side, number[]> = { ours: [], theirs: [] };
  #sent = 0;
  #writesBefore = 0;

  private constructor(bench: LoadBench, peer: PeerTarget) {
    this.#bench = bench;
    this.#peer = peer;
  }

  /** `start` the peer; both sides get the load of `shape`. */
  static async open(
    context: Context,
    shape: LoadShape,
    start: (shape: LoadShape) => Promise<PeerTarget>,
  ): Promise<VersusBench> {
    const peer = await start(shape);
    const sides = { ours: () => tidewireTarget(shape), theirs: () => Promise.resolve(peer) };
    const versus = new VersusBench(await LoadBench.open(sides, ackedPerSecond, context), peer);
    versus.#writesBefore = (await peer.countWrites?.()) ?? 0;
    return versus;
  }

  async measure(side: Side): Promise<Sample> {
    const sample = await this.#bench.measure(side);
    const { load } = sample;
    if (load === undefined) return sample;
    if (side === 'theirs') this.#sent += load.account.acked;
    const own = cpuSecondsOf(load.cpu, this.#bench.targets[side].pid);
    const all = load.cpu.reduce((sum, thread) => sum + thread.seconds, 0);
    this.#micros[side].push((all / load.acked) * 1e6);
    const [alone, together] = [own, all].map((cpu) => ((cpu / load.acked) * 1e6).toFixed(1));
    const children = all > own ? `, ${together} µs with the processes it has started` : '';
    const note = `server CPU a write: ${alone} µs${children}`;
    return { ...sample, notes: [note, ...sample.notes] };
  }

  async finish(): Promise<{ notes: string[]; faults: string[] }> {
    const ours = median(this.#micros.ours);
    const theirs = median(this.#micros.theirs);
    const figures = `${ours.toFixed(1)} µs ÷ ${theirs.toFixed(1)} µs`;
    const notes = [`CPU a write, databases included: ${figures} = ${(ours / theirs).toFixed(2)}`];
    const faults: string[] = [];
    await this.#lookAtKeys(notes, faults);
    await this.#lookAtWrites(notes, faults);
    return { notes, faults };
  }

  async close(): Promise<void> {
    await this.#bench.close();
  }

  async #lookAtKeys(notes: string[], faults: string[]): Promise<void> {
    const counted = await this.#peer.countKeys?.();
    if (counted === undefined) return;
    const { keys } = this.#peer.plan;
    notes.push(`theirs holds ${counted} keys by its own count, of ${keys}`);
    if (counted !== keys) faults.push(`theirs holds ${counted} keys instead of ${keys}`);
  }

  async #lookAtWrites(notes: string[], faults: string[]): Promise<void> {
    const after = await this.#peer.countWrites?.();
    if (after === undefined) return;
    const counted = after - this.#writesBefore;
    notes.push(`theirs counted ${counted} writes itself, the generator ${this.#sent}`);
    if (Math.abs(counted - this.#sent) > AGREEMENT * this.#sent)
      faults.push('the two counts of writes are more than 10 % apart');
  }
}
