import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { Code } from '@tidewire/core';
import { cpuBetween, readThreads } from '../measure/process-cpu.js';
import { Connection } from './connection.js';
import { DeepstreamDialect } from './deepstream-dialect.js';
import type { Dialect, DialectOptions, LoadClock } from './dialect.js';
import { drawRanks, KeySource } from './distribution.js';
import { EchoDialect } from './echo-dialect.js';
import { LatencyRecorder } from './latency.js';
import { type Account, addAccount, emptyAccount } from './ledger.js';
import { NatsDialect } from './nats-dialect.js';
import {
  type DialectName,
  eventsPerWrite,
  type LoadPlan,
  type LoadReport,
  type RunPlan,
  type ThreadCpu,
} from './plan.js';
import { PostgresDialect } from './postgres-dialect.js';
import { RedisPublishDialect } from './redis-publish-dialect.js';
import { RespDialect } from './resp-dialect.js';
import { TidewireDialect } from './tidewire-dialect.js';

const SERIES_STEP_MS = 100;
/** After everything expected has come, wait so long for what must not come. */
const SURPLUS_MS = 20;
/** Connections that are opened at the same time. */
const OPENINGS = 64;
/** Longest nap of the open loop between two looks at the clock. */
const NAP_MS = 0.05;

const DIALECTS: Readonly<
  Record<DialectName, new (plan: LoadPlan, options: DialectOptions) => Dialect>
> = {
  tidewire: TidewireDialect,
  resp: RespDialect,
  echo: EchoDialect,
  'redis-publish': RedisPublishDialect,
  nats: NatsDialect,
  postgres: PostgresDialect,
  deepstream: DeepstreamDialect,
};

/** The state at one end of the measured window. */
interface Mark {
  readonly at: number;
  readonly acked: number;
  readonly events: number;
  readonly clientCpuMicros: number;
  readonly cpu: readonly ThreadCpu[];
}

/** A set of connections and the runs on them. */
export class LoadGenerator {
  readonly #plan: LoadPlan;
  readonly #latency: LatencyRecorder;
  readonly #senders: Connection[] = [];
  readonly #subscribers: Connection[] = [];

  private constructor(plan: LoadPlan, latency: LatencyRecorder) {
    this.#plan = plan;
    this.#latency = latency;
  }

  static async open(plan: LoadPlan, onFail: (message: string) => void): Promise<LoadGenerator> {
    const generator = new LoadGenerator(plan, await LatencyRecorder.create());
    await generator.#connect(onFail);
    return generator;
  }

  /** One run: settle, measure, stop, wait for what is open. */
  async run(run: RunPlan): Promise<LoadReport> {
    this.#start(run);
    const pacing = run.rate > 0 ? this.#keepPace(run) : undefined;
    if (run.operations === 0) await sleep(run.settleMs);
    const first = this.#mark(run.watch);
    this.#latency.isRecording = true;
    const series = await this.#measure(run, first);
    const last = this.#mark(run.watch);
    this.#latency.isRecording = false;
    for (const sender of this.#senders) sender.stop();
    await pacing;
    await this.#drain(run.drainMs);
    return this.#report(first, last, series);
  }

  close(): void {
    for (const connection of [...this.#senders, ...this.#subscribers]) connection.close();
  }

  async #connect(onFail: (message: string) => void): Promise<void> {
    const plan = this.#plan;
    const clock: LoadClock = { ms: Date.now(), counter: 0 };
    const ranks = drawRanks(plan.distribution, plan.keys, plan.seed);
    const count = plan.connections + plan.subscribers;
    for (let first = 0; first < count; first += OPENINGS) {
      const openings: Promise<void>[] = [];
      for (let index = first; index < Math.min(first + OPENINGS, count); index++) {
        const isSubscriber = index >= plan.connections;
        const keys = keySourceOf(plan, ranks, index);
        const { window } = plan;
        const link = new Connection({ window, clock, latency: this.#latency, onFail });
        const dialect = dialectOf(plan, { link, keys, connection: index, isSubscriber });
        openings.push(link.open(plan.port, dialect));
        (isSubscriber ? this.#subscribers : this.#senders).push(link);
      }
      await Promise.all(openings);
    }
  }

  #start(run: RunPlan): void {
    const senders = this.#senders;
    const now = performance.now();
    const stepMs = run.rate > 0 ? 1000 / run.rate : 0;
    const window = Math.min(run.window || this.#plan.window, this.#plan.window);
    senders.forEach((sender, index) => {
      const share = Math.ceil((run.operations - index) / senders.length);
      sender.start({
        firstAt: now + index * stepMs,
        intervalMs: stepMs * senders.length,
        operations: run.operations > 0 ? share : Number.POSITIVE_INFINITY,
        window,
      });
    });
  }

  /** Open loop: sends what is due, then naps for less than a timer can. */
  async #keepPace(run: RunPlan): Promise<void> {
    const nap = new Int32Array(new SharedArrayBuffer(4));
    const end = performance.now() + run.settleMs + run.measureMs + SERIES_STEP_MS;
    for (let now = performance.now(); now < end; now = performance.now()) {
      for (const sender of this.#senders) sender.pump(now);
      await nextTurn();
      Atomics.wait(nap, 0, 0, NAP_MS);
    }
  }

  async #measure(run: RunPlan, first: Mark): Promise<number[]> {
    const series: number[] = [];
    let before = first.acked;
    let at = first.at;
    for (;;) {
      const isOver =
        run.operations > 0
          ? this.#account().sent >= run.operations && this.#open() === 0
          : at - first.at >= run.measureMs;
      if (isOver) return series;
      const left = run.operations > 0 ? SERIES_STEP_MS : run.measureMs - (at - first.at);
      await sleep(Math.max(1, Math.min(SERIES_STEP_MS, left)));
      const now = performance.now();
      const { acked } = this.#account();
      series.push(Math.round(((acked - before) / (now - at)) * 1000));
      before = acked;
      at = now;
    }
  }

  #mark(watch: readonly number[]): Mark {
    const cpu = readThreads(watch);
    const { user, system } = process.cpuUsage();
    const { acked } = this.#account();
    const events = this.#subscribers.reduce((sum, subscriber) => sum + subscriber.events, 0);
    return { at: performance.now(), acked, events, clientCpuMicros: user + system, cpu };
  }

  /** Waits until every request is answered and every subscriber has what was applied. */
  async #drain(drainMs: number): Promise<void> {
    const deadline = performance.now() + drainMs;
    while (performance.now() < deadline && (this.#open() > 0 || this.#missingEvents() > 0))
      await sleep(5);
    await sleep(SURPLUS_MS);
  }

  #missingEvents(): number {
    const due = this.#account().codes[Code.APPLIED] * eventsPerWrite(this.#plan);
    return due - this.#subscribers.reduce((sum, subscriber) => sum + subscriber.events, 0);
  }

  #open(): number {
    return this.#senders.reduce((sum, sender) => sum + sender.ledger.open, 0);
  }

  #account(): Account {
    const sum = emptyAccount();
    for (const sender of this.#senders) addAccount(sum, sender.ledger.account);
    return sum;
  }

  #report(first: Mark, last: Mark, series: readonly number[]): LoadReport {
    const account = emptyAccount();
    for (const sender of this.#senders) addAccount(account, sender.ledger.close());
    const events = { received: 0, disordered: 0 };
    for (const subscriber of this.#subscribers) {
      events.received += subscriber.events;
      events.disordered += subscriber.disordered;
      subscriber.events = 0;
      subscriber.disordered = 0;
    }
    return {
      seconds: (last.at - first.at) / 1000,
      acked: last.acked - first.acked,
      clientCpuSeconds: (last.clientCpuMicros - first.clientCpuMicros) / 1e6,
      cpu: cpuBetween(first.cpu, last.cpu),
      account,
      events,
      delivered: last.events - first.events,
      latency: this.#latency.take(),
      series,
    };
  }
}

function keySourceOf(plan: LoadPlan, ranks: Uint32Array, connection: number): KeySource {
  const { distribution, keys, connections } = plan;
  const firstKey = plan.firstKey + Math.floor((connection * keys) / connections);
  const start = Math.floor((connection * ranks.length) / connections);
  return new KeySource({
    distribution,
    ranks,
    start: distribution === 'sequential' ? firstKey : start,
    keys,
    connection,
    connections,
  });
}

function dialectOf(plan: LoadPlan, options: DialectOptions): Dialect {
  return new DIALECTS[plan.dialect](plan, options);
}
