import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Client, connect } from '@tidewire/client/node';
import type { Sql } from 'postgres';
import { Ledger, orderOf, type State, stateOfRead } from './crash-ledger.js';
import { Load, type LoadContext, MAP } from './crash-load.js';
import { get, textOf } from './operations.js';
import type { OutageDatabase } from './outage-database.js';
import { RawClient } from './raw-client.js';
import type { RunningServer } from './running-server.js';
import { SeededRandom } from './seeded-random.js';

const CONNECTIONS = 6;
const READ_OPERATIONS = 250;
const LOOKS_MAX = 300;
const LOOK_MS = 100;
const FRACTION = 1000;
const CATCH_UP_MS_MAX = 100;

/**
 * What befalls a cycle:
 *
 *     kill       the server process, by SIGKILL; sometimes its heir too while it starts
 *     worker     a partition worker, by a processor; needs a server with the flags WITH_PROCESSORS
 *     terminate  its database connections, by pg_terminate_backend
 *     thread     its persistence thread; needs a server with the environment MORTAL
 *     stop       the database, in order; it is started again
 *     crash      the database, by SIGKILL; it is started again
 *     stall, cut, hole   the network between them, see OutageProxy
 */
export const FAULTS = [
  'kill',
  'worker',
  'terminate',
  'thread',
  'stop',
  'crash',
  'stall',
  'cut',
  'hole',
] as const;
export type Fault = (typeof FAULTS)[number];

/** Faults that need no database of the run's own. */
export function isOfServer(fault: Fault): boolean {
  return fault === 'kill' || fault === 'worker';
}

/** Flags of a server whose workers can be ended from outside. */
export const WITH_PROCESSORS: readonly string[] = [
  '--processors',
  fileURLToPath(new URL('./account-processors.js', import.meta.url)),
];
const LOOK_FOR_DEATH_MS = 1;

/** Cycles of load and fault on one server, each closed by the question whether the promises hold. */
export class CrashRun {
  readonly ledger: Ledger = new Ledger();
  /** Reads that found memory and table equal with nothing dirty, under load or after a fault. */
  agreements = 0;
  #workerDeaths = 0;
  readonly #server: RunningServer;
  readonly #sql: () => Promise<Sql>;
  readonly #database: OutageDatabase | undefined;
  readonly #random: SeededRandom;
  readonly #context: LoadContext;
  readonly #cycleMs: number;

  constructor(options: {
    server: RunningServer;
    /** The server's, if it is not the embedded one: without it there are only faults of the server. */
    database?: OutageDatabase;
    seed: number;
    /** Of load in a cycle, at most. */
    cycleMs: number;
  }) {
    const { server, database } = options;
    this.#server = server;
    this.#database = database;
    this.#sql = database === undefined ? () => server.sql() : async () => database.sql();
    this.#random = new SeededRandom(options.seed);
    this.#cycleMs = options.cycleMs;
    this.#context = {
      ledger: this.ledger,
      seed: options.seed,
      serial: 1,
      clock: 0n,
      onSafe: () => {},
    };
  }

  async cycle(fault: Fault): Promise<void> {
    const load = await Load.start(this.#server.url, CONNECTIONS, this.#context);
    try {
      await this.#sometime();
      if (this.#random.below(3) === 0) {
        await this.#agree(load);
        load.resume();
        await this.#sometime();
      }
      if (fault === 'kill') await this.#killSoon(load);
      else await this.#outage(fault, load);
    } finally {
      await load.end();
    }
  }

  /** After the last cycle: a load without a fault, and the question. */
  async conclude(): Promise<void> {
    const load = await Load.start(this.#server.url, CONNECTIONS, this.#context);
    try {
      await this.#sometime();
      await this.#agree(load);
    } finally {
      await load.end();
    }
  }

  /** Resolves with the time of death. */
  async #die(): Promise<number> {
    await this.#server.stop('SIGKILL');
    return performance.now();
  }

  async #revive(load: Load, diedMs: number): Promise<void> {
    await load.end();
    if (this.#random.below(4) === 0) await this.#killHeir();
    await this.#server.restart();
    await this.#requireLaterClock();
    this.ledger.onCrash(diedMs, await this.#memory(), await this.#table());
  }

  async #requireLaterClock(): Promise<void> {
    const client = await RawClient.connect(this.#server.url, CONNECTIONS + 1);
    const { clock } = this.#context;
    if (client.clock <= clock)
      this.ledger.violate(`the clock went back from ${clock} to ${client.clock}`);
    client.close();
  }

  /** The next process dies while it starts. */
  async #killHeir(): Promise<void> {
    const start = this.#server.restart().catch(() => {}); // it is killed, mostly in time
    await this.#sometime();
    this.#server.signal('SIGKILL');
    await start;
  }

  /** In half of the cycles the server dies too: during the outage, or while it catches up. */
  async #outage(fault: Exclude<Fault, 'kill'>, load: Load): Promise<void> {
    const heal = await this.#begin(fault);
    await this.#sometime();
    const end = this.#random.pick(['die', 'die later', 'live', 'live'] as const);
    const diedMs = end === 'die' ? await this.#die() : 0;
    await heal();
    if (end === 'die') await this.#revive(load, diedMs);
    else if (end === 'die later') await this.#killSoon(load);
    else {
      await this.#sometime();
      await this.#agree(load);
    }
  }

  /** Within a moment, or when the next SAFE write has been promised. */
  async #killSoon(load: Load): Promise<void> {
    if (this.#random.below(2) === 0) await delay(this.#random.below(CATCH_UP_MS_MAX));
    else {
      const promised = new Promise<void>((resolve) => {
        this.#context.onSafe = resolve;
      });
      await Promise.race([promised, delay(this.#cycleMs)]);
    }
    await this.#revive(load, await this.#die());
  }

  /** Resolves with what ends the fault. */
  async #begin(fault: Exclude<Fault, 'kill'>): Promise<() => Promise<void>> {
    if (fault === 'worker') return await this.#killWorker();
    const database = this.#database;
    if (database === undefined) throw new Error(`${fault} needs a database of the run's own`);
    const { proxy } = database;
    switch (fault) {
      case 'terminate':
        await database.terminateBackends();
        return async () => {};
      case 'thread':
        this.#server.killPersistence();
        return async () => {};
      case 'stop':
        await database.stop();
        return () => database.restart();
      case 'crash':
        await database.kill();
        return () => database.restart();
      default:
        proxy[fault]();
        return async () => proxy.heal();
    }
  }

  /** Resolves once one of them has ended; it is being replaced then. */
  async #killWorker(): Promise<() => Promise<void>> {
    const client = await connect(this.#server.url);
    const name = `death ${++this.#workerDeaths} of ${process.pid}`;
    const file = join(this.#server.dataDir, name);
    const executed = execute(client, name, file);
    while (!existsSync(file)) await delay(LOOK_FOR_DEATH_MS);
    return async () => {
      client.close();
      await executed;
    };
  }

  /** Waits until nothing is dirty and asks whether memory and table then agree. */
  async #agree(load: Load): Promise<void> {
    await load.pause();
    for (let look = 0; look < LOOKS_MAX; look++) {
      await this.#server.until(({ dirty }) => dirty === 0);
      if (this.ledger.onClean(await this.#memory(), await this.#table())) {
        this.agreements++;
        return;
      }
      await delay(LOOK_MS); // the dirty count is told once a turn: it may have been a moment late
    }
    this.ledger.accuse(await this.#memory(), await this.#table());
  }

  async #memory(): Promise<Map<string, State>> {
    const { keys } = this.ledger;
    const states = new Map<string, State>();
    const client = await RawClient.connect(this.#server.url, CONNECTIONS + 1);
    for (let at = 0; at < keys.length; at += READ_OPERATIONS) {
      const asked = keys.slice(at, at + READ_OPERATIONS);
      const results = await client.operate(...asked.map((key) => get(MAP, key)));
      for (const [i, result] of results.entries())
        if (result.stamp > 0n) states.set(asked[i], stateOfRead(result));
    }
    client.close();
    return states;
  }

  async #table(): Promise<Map<string, State>> {
    const sql = await this.#sql();
    const rows = await sql<
      { key: string; value: Uint8Array; hlc: string; node: number; deleted: boolean }[]
    >`SELECT key, value, hlc::text, node, deleted FROM tidewire.record WHERE map = ${MAP}`;
    return new Map(
      rows.map(({ key, value, hlc, node, deleted }) => [
        key,
        { order: orderOf(BigInt(hlc), node), value: deleted ? undefined : textOf(value) },
      ]),
    );
  }

  async #sometime(): Promise<void> {
    await delay((this.#cycleMs * this.#random.below(FRACTION)) / FRACTION / 2);
  }
}

/** Settles when it is answered or its connection has ended. */
async function execute(client: Client, key: string, file: string): Promise<void> {
  await client
    .map('deaths')
    .execute(key, 'exitOnce', file)
    .catch(() => {});
}
