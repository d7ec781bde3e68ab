import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Client, connect, type TidewireError } from '@tidewire/client/node';
import { Code } from '@tidewire/core';
import type { Test } from 'tap';
import { WebSocket } from 'ws';
import { RunningServer } from './running-server.js';
import type { SeededRandom } from './seeded-random.js';

export const COUNTER_PROCESSORS: string = fileURLToPath(
  new URL('./account-processors.js', import.meta.url),
);

export interface CounterOptions {
  readonly clients: number;
  /** Increments of each client. */
  readonly increments: number;
  /** Workers to end on the way, and connections to break. */
  readonly kills: number;
  readonly drops: number;
  readonly random: SeededRandom;
}

export interface CounterReport {
  readonly sum: number;
  readonly expected: number;
  readonly kills: number;
  readonly drops: number;
  /** Increments that a full server refused, called again. */
  readonly overloaded: number;
}

/** Increments of one client under way at one time. */
const WINDOW = 16;
const OPERATION_TIMEOUT_MS = 120_000;
const OPENINGS = 50;
const RETRY_MS = 20;

/** Many clients count one number while workers die and connections break. */
export async function countTogether(
  t: Pick<Test, 'teardown'>,
  options: CounterOptions,
): Promise<CounterReport> {
  const args = ['--processors', COUNTER_PROCESSORS, '--workers', '2'];
  const run = new CounterRun(await RunningServer.start(t, { args }), options);
  return await run.report();
}

class CounterRun {
  readonly #server: RunningServer;
  readonly #options: CounterOptions;
  readonly #sockets = new Set<WebSocket>();
  #counted = 0;
  #killed = 0;
  #dropped = 0;
  #overloaded = 0;

  constructor(server: RunningServer, options: CounterOptions) {
    this.#server = server;
    this.#options = options;
  }

  async report(): Promise<CounterReport> {
    const folder = await mkdtemp(join(tmpdir(), 'tidewire-counter-'));
    const clients = await this.#connectAll();
    try {
      const counting = clients.map((client) => this.#count(client));
      await Promise.all([...counting, this.#kill(clients[0], folder), this.#drop()]);
      const entry = await clients[0].map<number>('counters').get('hits');
      return {
        sum: entry?.value ?? 0,
        expected: this.#options.clients * this.#options.increments + this.#killed,
        kills: this.#killed,
        drops: this.#dropped,
        overloaded: this.#overloaded,
      };
    } finally {
      for (const client of clients) client.close();
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #connectAll(): Promise<Client[]> {
    const sockets = this.#sockets;
    class Droppable extends WebSocket {
      constructor(url: string) {
        super(url);
        sockets.add(this);
        this.on('close', () => sockets.delete(this));
      }
    }
    const clients: Client[] = [];
    while (clients.length < this.#options.clients) {
      const count = Math.min(OPENINGS, this.#options.clients - clients.length);
      const options = { WebSocket: Droppable, operationTimeoutMs: OPERATION_TIMEOUT_MS };
      const opening = Array.from({ length: count }, () => connect(this.#server.url, options));
      clients.push(...(await Promise.all(opening)));
    }
    return clients;
  }

  async #count(client: Client): Promise<void> {
    const map = client.map<number>('counters');
    let left = this.#options.increments;
    const one = async (): Promise<void> => {
      while (left-- > 0) {
        await this.#again(() => map.increment('hits'));
        this.#counted++;
      }
    };
    await Promise.all(Array.from({ length: WINDOW }, one));
  }

  /** Nothing was done where a server is full: only then is it called again. */
  async #again(action: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await action();
        return;
      } catch (error) {
        if ((error as TidewireError).code !== Code.OVERLOADED) throw error;
        this.#overloaded++;
        await delay(RETRY_MS);
      }
    }
  }

  /** At even distances over the whole run. */
  async #kill(client: Client, folder: string): Promise<void> {
    const { kills } = this.#options;
    for (let kill = 0; kill < kills; kill++) {
      await this.#reached((kill + 0.5) / kills);
      const file = join(folder, String(kill));
      await this.#again(() => client.map('counters').execute('hits', 'exitOnce', file));
      this.#killed++;
    }
  }

  async #drop(): Promise<void> {
    const { drops, random } = this.#options;
    for (let drop = 0; drop < drops; drop++) {
      await this.#reached((drop + 0.5) / drops);
      const open = [...this.#sockets].filter((socket) => socket.readyState === WebSocket.OPEN);
      if (open.length === 0) continue;
      random.pick(open).terminate();
      this.#dropped++;
    }
  }

  async #reached(share: number): Promise<void> {
    const { clients, increments } = this.#options;
    while (this.#counted < share * clients * increments) await delay(1);
  }
}
