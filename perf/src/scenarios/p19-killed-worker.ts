import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Client, connect } from '@tidewire/client/node';
import { parsePredicate } from '@tidewire/core';
import { LoadClient } from '../load/load-client.js';
import { runOf } from '../load/plan.js';
import { faultsOf, remarksOf } from '../measure/accounting.js';
import { fill } from '../measure/load-bench.js';
import type { Bench, Context, Sample, Scenario } from '../measure/scenario.js';
import { median, type Side } from '../measure/statistics.js';
import { type TidewireTarget, tidewireTarget } from '../measure/targets.js';

const PROCESSORS: string = fileURLToPath(new URL('./p19-processors.js', import.meta.url));
const MAP = 'probe';
/** Each has a subscription to the map, one of a predicate of its own, and one of each key. */
const CONNECTIONS = 100;
const KEYS = 8;
const SUBSCRIPTIONS: number = CONNECTIONS * (KEYS + 2);
const KILLS = 5;
const PAUSE_MS = 400;
const PATIENCE_MS = 30_000;

/**
 * From the sending of the operation that ends the worker until it has been executed by the next one,
 * and every subscription has heard of a change since. There is one worker, and the goals' load runs.
 */
export const killedWorker: Scenario = {
  id: 'P19',
  title: 'worker killed under full load: ms until answers and events reach 1,000 subscriptions',
  unit: 'ms',
  bar: 500,
  goal: 50,
  better: 'lower',
  open: (context) => KilledWorkerBench.open(context),
};

class KilledWorkerBench implements Bench {
  readonly #target: TidewireTarget;
  readonly #load: LoadClient;
  readonly #clients: Client[];
  readonly #folder: string;
  readonly #context: Context;
  /** The last number heard of by each subscription; a key's is the last of that key. */
  readonly #heard: number[] = Array.from({ length: SUBSCRIPTIONS }, () => 0);
  #missed = 0;
  #last = 0;

  private constructor(parts: {
    target: TidewireTarget;
    load: LoadClient;
    clients: Client[];
    folder: string;
    context: Context;
  }) {
    this.#target = parts.target;
    this.#load = parts.load;
    this.#clients = parts.clients;
    this.#folder = parts.folder;
    this.#context = parts.context;
  }

  static async open(context: Context): Promise<KilledWorkerBench> {
    const flags = ['--workers', '1', '--processors', PROCESSORS];
    const target = await tidewireTarget({}, { flags, writesBehind: false });
    try {
      await fill(target);
      const folder = await mkdtemp(join(tmpdir(), 'tidewire-p19-'));
      const load = await LoadClient.open(target.plan);
      const url = `ws://127.0.0.1:${target.plan.port}`;
      const opening = Array.from({ length: CONNECTIONS }, () => connect(url));
      const clients = await Promise.all(opening);
      const bench = new KilledWorkerBench({ target, load, clients, folder, context });
      await Promise.all(clients.map((client, i) => bench.#subscribe(client, i)));
      return bench;
    } catch (error) {
      await target.stop();
      throw error;
    }
  }

  async measure(side: Side): Promise<Sample> {
    if (side === 'theirs') return { value: 1, notes: ['our figure, in milliseconds'], faults: [] };
    const measureMs = KILLS * (PAUSE_MS + 600);
    const running = this.#load.run({ ...runOf(0), settleMs: PAUSE_MS, measureMs });
    const times: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      await sleep(PAUSE_MS);
      times.push(await this.#kill());
      this.#context.progress(`killed, and back after ${times.at(-1)?.toFixed(0)} ms`);
    }
    const load = await running;
    const faults = faultsOf(load, this.#target.plan);
    if (this.#missed > 0) faults.push(`${this.#missed} events were not heard of`);
    const shown = times.map((ms) => ms.toFixed(0)).join(', ');
    return { value: median(times), notes: [`${shown} ms`, ...remarksOf(load)], faults };
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.#load.close();
    await rm(this.#folder, { recursive: true, force: true });
    await this.#target.stop();
  }

  async #subscribe(client: Client, connection: number): Promise<void> {
    const map = client.map<{ n: number }>(MAP);
    const first = connection * (KEYS + 2);
    await map.subscribe(({ value }) => this.#hear(first, value?.n));
    const where = parsePredicate(`n > ${-1 - connection}`);
    await map.query(where, ({ value }) => this.#hear(first + 1, value?.n));
    for (let key = 0; key < KEYS; key++) {
      const hear = ({ value }: { value: { n: number } | undefined }): void =>
        this.#hear(first + 2 + key, value?.n);
      await map.subscribe(hear, { key: `k${key}` });
    }
  }

  /** Every change counts up: a map hears of all, a key of one in KEYS. */
  #hear(subscription: number, n: number | undefined): void {
    const before = this.#heard[subscription];
    const step = subscription % (KEYS + 2) < 2 ? 1 : KEYS;
    if (n === undefined || (before !== 0 && n !== before + step)) this.#missed++;
    this.#heard[subscription] = n ?? 0;
  }

  async #kill(): Promise<number> {
    const map = this.#clients[0].map<{ n: number }>(MAP);
    const n = this.#last;
    this.#last += KEYS;
    const sentAt = performance.now();
    const file = join(this.#folder, String(n));
    const answers: Promise<unknown>[] = [map.execute('k0', 'exitOnce', { file, n: n + 1 })];
    for (let key = 1; key < KEYS; key++) answers.push(map.put(`k${key}`, { n: n + 1 + key }));
    await Promise.all(answers);
    while (!this.#isHeardBy(n)) {
      if (performance.now() - sentAt > PATIENCE_MS) throw new Error('events do not come any more');
      await new Promise(setImmediate);
    }
    return performance.now() - sentAt;
  }

  #isHeardBy(n: number): boolean {
    return this.#heard.every((heard, i) => {
      const place = i % (KEYS + 2);
      return heard >= (place < 2 ? n + KEYS : n + place - 1);
    });
  }
}
