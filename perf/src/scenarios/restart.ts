import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartFrom } from '@tidewire/schemas';
import { MapSubscriber, orderOf } from '../load/map-subscriber.js';
import { MAP } from '../load/operation-template.js';
import { SEED } from '../load/random.js';
import { RetryingWriters } from '../load/retrying-writers.js';
import { drain } from '../measure/flush-watch.js';
import { fill } from '../measure/load-bench.js';
import type { Bench, Context, Sample, Scenario } from '../measure/scenario.js';
import type { Side } from '../measure/statistics.js';
import { type TidewireTarget, tidewireTarget } from '../measure/targets.js';

const SUBSCRIBERS = 1000;
const KEYS = 2000;
const WRITERS = 4;
/** Every one of them comes to 1,000 events. */
const WRITES_A_SECOND = 100;
const SETTLE_MS = 1000;
/** The database is held while these are made and told of: they are lost. */
const LAST_WRITES = 100;
const LAST_WRITES_MS = 500;
/** Unanswered at the end. */
const CUT_WRITES = 100;
/** Connections that are opened at the same time. */
const OPENINGS = 50;
const RETRY_MS = 100;
const PATIENCE_MS = 120_000;
const SHAPE = { keys: KEYS, subscribers: 0 };

/**
 * The server is ended by kill -9 under writes, with 1,000 subscribers, and started again on its data. They
 * come back with what they hold and their cursors, as soon as anybody listens, while the writes go on. In the
 * end each must hold what the table holds, and no write may have had its effect twice in an epoch.
 * Theirs is what as many fresh snapshots cost.
 */
export const restart: Scenario = {
  id: 'restart',
  title: 'bytes to resume each of 1,000 subscribers after kill -9 under writes ÷ a full snapshot',
  unit: 'B',
  bar: 1,
  goal: 0.5,
  better: 'lower',
  isByNameOnly: true,
  rounds: 2,
  open: (context) => RestartBench.open(context),
};

interface Row {
  readonly key: string;
  readonly sequence: string;
  readonly hlc: string;
  readonly node: number;
}

class RestartBench implements Bench {
  readonly #target: TidewireTarget;
  readonly #context: Context;
  #retries = 0;
  #round = 0;

  private constructor(target: TidewireTarget, context: Context) {
    this.#target = target;
    this.#context = context;
  }

  static async open(context: Context): Promise<RestartBench> {
    const target = await tidewireTarget(SHAPE);
    try {
      await fill(target);
      return new RestartBench(target, context);
    } catch (error) {
      await target.stop();
      throw error;
    }
  }

  async measure(side: Side): Promise<Sample> {
    const { port } = this.#target.plan;
    const opening = { port, start: StartFrom.SNAPSHOT };
    const places = Array.from({ length: SUBSCRIBERS }, () => undefined);
    const fresh = await eachInTurn(places, () =>
      this.#patiently(() => MapSubscriber.open(opening)),
    );
    const sample =
      side === 'ours'
        ? await this.#measureRestart(fresh)
        : { value: bytesEach(fresh), notes: [], faults: [] };
    for (const subscriber of fresh) subscriber.close();
    return sample;
  }

  async close(): Promise<void> {
    await this.#target.stop();
  }

  async #measureRestart(before: readonly MapSubscriber[]): Promise<Sample> {
    const { port } = this.#target.plan;
    const seed = SEED + ++this.#round;
    const writers = await RetryingWriters.open({ port, writers: WRITERS, keys: KEYS, seed });
    try {
      writers.start(WRITES_A_SECOND);
      await sleep(SETTLE_MS);
      const cut = await this.#kill(writers);
      this.#retries = 0;
      const startedAt = performance.now();
      await Promise.all(before.map((subscriber) => subscriber.ended()));
      const after = await eachInTurn(before, (subscriber) =>
        this.#patiently(() => MapSubscriber.resume(subscriber)),
      );
      const seconds = (performance.now() - startedAt) / 1000;
      const faults = [...(await writers.stop()), ...(await this.#differences(after))];
      const notes = [
        `all back in ${seconds.toFixed(2)} s, ${this.#retries} attempts refused or cut off`,
        `${cut} of ${writers.settled} writes were unanswered at the end`,
        rolledBackNote(after),
      ];
      for (const subscriber of after) subscriber.close();
      if (cut === 0) faults.push('no write was under way when the server was killed');
      if (after.every(({ rolledBack }) => rolledBack === 0)) faults.push('nothing was lost');
      return { value: bytesEach(after), notes, faults };
    } finally {
      writers.close();
    }
  }

  /** Returns how many writes were under way. */
  async #kill(writers: RetryingWriters): Promise<number> {
    this.#context.progress('killing the server');
    this.#target.server.holdDatabase();
    writers.burst(LAST_WRITES);
    await sleep(LAST_WRITES_MS);
    writers.burst(CUT_WRITES);
    await new Promise<void>((resolve) => process.nextTick(resolve)); // sent, and no answer is read yet
    const cut = writers.outstanding;
    await this.#target.server.respawnKilled();
    return cut;
  }

  /** Tries until the server is there and takes it, as a client does. */
  async #patiently(open: () => Promise<MapSubscriber>): Promise<MapSubscriber> {
    const endAt = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        return await open();
      } catch (error) {
        if (performance.now() > endAt) throw error;
        this.#retries++;
        await sleep(RETRY_MS);
      }
    }
  }

  /** Each comes to hold what the table holds, write for write, without an effect that came twice. */
  async #differences(subscribers: readonly MapSubscriber[]): Promise<string[]> {
    const rows = await this.#table();
    const sum = rows.reduce((total, { sequence }) => total + BigInt(sequence), 0n);
    const expected = { count: rows.length, sum };
    const waiting = subscribers.map((subscriber) => subscriber.catchUp(expected));
    await Promise.allSettled(waiting); // what is wrong is looked for below
    const differing = subscribers.filter(
      ({ held }) => held.size !== rows.length || !rows.every((row) => isHeld(held, row)),
    ).length;
    const repeating = subscribers.filter(({ repeated }) => repeated > 0).length;
    const faults: string[] = [];
    if (differing > 0) faults.push(`${differing} subscribers hold something else than the table`);
    if (repeating > 0) faults.push(`${repeating} subscribers were told of an effect twice`);
    return faults;
  }

  async #table(): Promise<Row[]> {
    const { server } = this.#target;
    await drain(server, PATIENCE_MS);
    const sql = await server.openDatabase();
    try {
      return await sql<Row[]>`SELECT key, sequence::text, hlc::text, node FROM tidewire.record
        WHERE map = ${MAP} AND NOT deleted`;
    } finally {
      await sql.end();
    }
  }
}

function isHeld(held: MapSubscriber['held'], { key, sequence, hlc, node }: Row): boolean {
  const state = held.get(key);
  return state?.sequence === BigInt(sequence) && state.order === orderOf(BigInt(hlc), node);
}

/** `start` for all of them in their order, some at one time. */
async function eachInTurn<T>(
  items: readonly T[],
  start: (item: T) => Promise<MapSubscriber>,
): Promise<MapSubscriber[]> {
  const started: MapSubscriber[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const i = next++;
      started[i] = await start(items[i]);
    }
  };
  await Promise.all(Array.from({ length: OPENINGS }, lane));
  return started;
}

function bytesEach(subscribers: readonly MapSubscriber[]): number {
  const bytes = subscribers.reduce((sum, subscriber) => sum + subscriber.bytesToLive, 0);
  return bytes / subscribers.length;
}

function rolledBackNote(subscribers: readonly MapSubscriber[]): string {
  const keys = subscribers.reduce((sum, { rolledBack }) => sum + rolledBack, 0);
  const who = subscribers.filter(({ rolledBack }) => rolledBack > 0).length;
  return `${who} took back ${keys} states that were lost, ${bytesNote(subscribers)}`;
}

function bytesNote(subscribers: readonly MapSubscriber[]): string {
  const each = subscribers.map(({ bytesToLive }) => bytesToLive).sort((a, b) => a - b);
  const total = each.reduce((sum, bytes) => sum + bytes, 0);
  return `${(total / 1e6).toFixed(1)} MB in all, ${each[0]} to ${each.at(-1)} B each`;
}
