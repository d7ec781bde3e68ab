import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code } from '@tidewire/core';
import {
  type EntryEvent,
  PartitionPool,
  type PoolError,
  type PoolOptions,
} from '@tidewire/partition-worker';
import { postgresStore } from '@tidewire/persistence';
import type { FaultArgument } from './faults.js';
import { KillLedger } from './kill-ledger.js';
import type { SeededRandom } from './seeded-random.js';

export interface KillOptions {
  readonly kills: number;
  readonly writers: number;
  /** Of all kinds together. */
  readonly subscriptions: number;
  readonly random: SeededRandom;
  readonly onKill?: (kills: number) => void;
}

export interface KillReport {
  readonly kills: number;
  readonly hangs: number;
  readonly writes: number;
  /** Faults that were not counted, since they were answered FAILED or POISON. */
  readonly refused: number;
  readonly events: number;
  /** Records that the database held at the end. */
  readonly stored: number;
  readonly faults: Readonly<Record<string, number>>;
  /** What should not be; empty. */
  readonly faultsFound: readonly string[];
}

const MAP = 'values';
const COUNTERS = 'counters';
/** Groups move numbers from a record of the one map to that of the other. */
const [LEFT, RIGHT] = ['left', 'right'] as const;
const KEYS = 200;
/** Counters, and pairs. */
const NUMBERS = 16;
const SAFE_ONE_IN = 50;
/** More than a busy machine keeps a thread from running. */
const HANG_MS = 2000;
/** A thread's life from start to end takes longer than an operation by far. */
const PAUSE_WRITES = 50;

/**
 * Kills workers under load, in all ways, while a database is written behind. Holds against what was
 * answered and told, and the database's records against those of memory.
 */
export async function killWorkers(options: KillOptions): Promise<KillReport> {
  const run = new KillRun(options);
  try {
    return await run.report();
  } finally {
    run.cleanUp();
  }
}

class KillRun {
  readonly #options: KillOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), 'tidewire-kills-'));
  readonly #ledger = new KillLedger();
  readonly #faults: Record<string, number> = {};
  #kills = 0;
  #hangs = 0;
  #writes = 0;
  #refused = 0;
  #marker = 0;

  constructor(options: KillOptions) {
    this.#options = options;
  }

  async report(): Promise<KillReport> {
    const pool = await PartitionPool.start({
      ...this.#site(),
      processors: new URL('./faults.js', import.meta.url),
      hangMs: HANG_MS,
      heapMiB: 96,
      onDown: ({ isHung }) => {
        this.#kills++;
        if (isHung) this.#hangs++;
        this.#options.onKill?.(this.#kills);
      },
    });
    await this.#subscribe(pool);
    const writers = Array.from({ length: this.#options.writers }, (_, i) => this.#write(pool, i));
    await Promise.all([...writers, this.#kill(pool)]);
    await this.#ledger.compare(pool, MAP, COUNTERS);
    await this.#ledger.comparePairs(pool, LEFT, RIGHT);
    const held = await standing(pool);
    this.#ledger.leaves(await pool.stop());
    const stored = await this.#stored();
    this.#ledger.compareStored(held, stored);
    return {
      kills: this.#kills,
      hangs: this.#hangs,
      writes: this.#writes,
      refused: this.#refused,
      events: this.#ledger.events,
      stored: stored.size,
      faults: this.#faults,
      faultsFound: this.#ledger.found,
    };
  }

  cleanUp(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Each pool has a store object of its own on the one folder. */
  #site(): Pick<PoolOptions, 'workers' | 'memoryBytes' | 'store'> {
    const store = postgresStore({ dataDir: join(this.#folder, 'data') });
    return { workers: 2, memoryBytes: 64 * 1024 * 1024, store };
  }

  /** What a pool finds in the database that the one before has left. */
  async #stored(): Promise<ReadonlyMap<string, string>> {
    const pool = await PartitionPool.start(this.#site());
    const stored = await standing(pool);
    await pool.stop();
    return stored;
  }

  async #subscribe(pool: PartitionPool): Promise<void> {
    const { subscriptions } = this.#options;
    const ledger = this.#ledger;
    for (const map of [MAP, COUNTERS, LEFT, RIGHT])
      await pool.subscribe(map, (event) => ledger.onChange(event));
    const rest = Array.from({ length: subscriptions - 4 }, (_, i) => {
      if (i % 2 === 0) {
        const key = `k${(i / 2) % KEYS}`;
        return pool.subscribe(MAP, ledger.ofKey(key), { key });
      }
      const from = ((i - 1) / 2) % 1000;
      const hears = ledger.ofRange(from, from + 50);
      return pool.subscribe(MAP, hears as (event: EntryEvent) => void, {
        where: `size between ${from} and ${from + 50}`,
      });
    });
    await Promise.all(rest);
  }

  /** Each writer has keys of its own, so that it knows what must stand there. */
  async #write(pool: PartitionPool, writer: number): Promise<void> {
    const { random, writers, kills } = this.#options;
    for (let i = 0; this.#kills < kills; i++) {
      const own = Math.floor(random.below(KEYS) / writers) * writers + writer;
      if (own >= KEYS) continue;
      const key = `k${own}`;
      const safe = random.below(SAFE_ONE_IN) === 0;
      if (random.below(10) === 0) {
        await pool.remove(MAP, key, { safe });
        this.#ledger.stands(key, undefined);
      } else {
        const value = valueFor(i, random.below(1000));
        await pool.put(MAP, key, value, { safe });
        this.#ledger.stands(key, value);
      }
      await pool.increment(COUNTERS, `c${random.below(NUMBERS)}`);
      this.#ledger.count();
      const pair = `p${random.below(NUMBERS)}`;
      const others = [{ map: RIGHT, key: pair }];
      if (await this.#isDone(pool.execute(LEFT, pair, 'move', undefined, { others })))
        this.#ledger.move();
      this.#writes += 4;
    }
  }

  async #kill(pool: PartitionPool): Promise<void> {
    const { random, kills } = this.#options;
    while (this.#kills < kills) {
      const fault = faultOf(random.below(1000));
      const argument: FaultArgument = {
        fault,
        file: join(this.#folder, String(this.#marker++)),
        stores: random.below(60),
      };
      this.#faults[fault] = (this.#faults[fault] ?? 0) + 1;
      await this.#execute(pool, argument);
      const before = this.#writes;
      while (this.#writes < before + PAUSE_WRITES && this.#kills < kills)
        await new Promise(setImmediate);
    }
  }

  /** One record or a group: the fault comes while either is processed or published. */
  async #execute(pool: PartitionPool, argument: FaultArgument): Promise<void> {
    const { random } = this.#options;
    if (random.below(2) === 0) {
      const key = `c${random.below(NUMBERS)}`;
      if (await this.#isDone(pool.execute(COUNTERS, key, 'countAfterFault', argument)))
        this.#ledger.count();
      return;
    }
    const key = `p${random.below(NUMBERS)}`;
    const others = [{ map: RIGHT, key }];
    if (await this.#isDone(pool.execute(LEFT, key, 'moveAfterFault', argument, { others })))
      this.#ledger.move();
  }

  /** On a machine that has too much to do a run may take too long, the second one too. */
  async #isDone(call: Promise<unknown>): Promise<boolean> {
    try {
      await call;
      return true;
    } catch (error) {
      const { code } = error as PoolError;
      if (code !== Code.FAILED && code !== Code.POISON) throw error;
      this.#refused++;
      return false;
    }
  }
}

/** Every record that may be there, by its place: its value and its stamp. */
async function standing(pool: PartitionPool): Promise<ReadonlyMap<string, string>> {
  const numbered = (prefix: string, count: number): string[] =>
    Array.from({ length: count }, (_, i) => `${prefix}${i}`);
  const places: readonly [string, string[]][] = [
    [MAP, numbered('k', KEYS)],
    [COUNTERS, numbered('c', NUMBERS)],
    [LEFT, numbered('p', NUMBERS)],
    [RIGHT, numbered('p', NUMBERS)],
  ];
  const records = new Map<string, string>();
  for (const [map, keys] of places)
    for (const [key, { value, stamp }] of await pool.getAll(map, keys))
      records.set(`${map} ${key}`, JSON.stringify([value, stamp]));
  return records;
}

export interface Value {
  readonly n: number;
  readonly size: number;
  readonly text: string;
}

function valueFor(n: number, size: number): Value {
  return { n, size, text: String(n % 10).repeat(size) };
}

/** Hangs and exhausted heaps take a hundred times longer than the others. */
function faultOf(thousandth: number): FaultArgument['fault'] {
  if (thousandth < 5) return 'exhaust';
  if (thousandth < 30) return 'loop';
  return thousandth < 400 ? 'exit' : 'throw';
}
