import { Code } from '@tidewire/core';
import {
  allocateSharedMemory,
  EffectLayout,
  InterestEnd,
  InterestKind,
  loadWatermark,
  loadWord,
  MapTable,
  RingProducer,
  ringBufferBytes,
  type SharedMemory,
  storeWord,
  WorkerControl,
  type WorkerMemory,
} from '@tidewire/core/threads';
import { Worker } from '@tidewire/partition-worker';
import { Level, type Result } from '@tidewire/schemas';
import { PersistenceEngine } from '#lib/persistence-engine.js';
import { Recovery } from '#lib/recovery.js';
import { type StoredRecord, StoreError } from '#lib/store.js';
import { type Answer, Client, MAP, type Write } from './client.js';
import { turnOfEventLoop } from './fake-store.js';
import { HeldStore, writeAll } from './held-store.js';
import { compareRecords, idOf, MemoryStore, Place } from './memory-store.js';

/** Enough for a few keys: it is cleared thousands of times. */
const ARENA_BYTES = 2.75 * 1024 * 1024;
const RING_BYTES = 16 * 1024;

/** The code under test: the product's own, or with one rule broken. */
export interface Build {
  readonly Worker: typeof Worker;
  readonly PersistenceEngine: typeof PersistenceEngine;
  readonly Recovery: typeof Recovery;
  readonly StoreError: typeof StoreError;
  /** The database compares before it replaces. */
  readonly isGuarded: boolean;
}

export const PRODUCT: Build = {
  Worker,
  PersistenceEngine,
  Recovery,
  StoreError,
  isGuarded: true,
};

/** Memory for worlds, one after another. */
export class Arena {
  readonly memory: SharedMemory = smallMemory();
  readonly #views: readonly Uint32Array[];

  constructor() {
    const { workers, ...shared } = this.memory;
    const buffers = [...Object.values(workers[0]), ...Object.values(shared)];
    this.#views = buffers
      .filter((each): each is SharedArrayBuffer => each instanceof SharedArrayBuffer)
      .map((buffer) => new Uint32Array(buffer));
  }

  clear(): void {
    for (const view of this.#views) view.fill(0);
  }
}

/** A change of the living process. */
interface Change {
  readonly write: Write;
  readonly partition: number;
  readonly sequence: number;
}

/** A promise does not hold. */
export class Violation extends Error {}

/**
 * A partition worker, the persistence engine and a database, all real but the database, stepped by
 * hand; and the promises of write-behind, which are looked at after every step.
 */
export class World {
  readonly place: Place;
  /** Statements of earlier attempts that the database has not carried out yet. */
  readonly late: (readonly StoredRecord[])[] = [];
  /** SAFE writes and their duplicates that have been answered. */
  readonly released: Answer[] = [];
  nowMs = 0;
  database: HeldStore;
  #build: Build;
  #arena: Arena;
  #client: Client;
  #interests: RingProducer;
  #worker: Worker;
  #engine: PersistenceEngine;
  #starts = 0;
  #waiting: Answer[] = [];
  #changes: Change[] = [];
  readonly #batchRecords: number;
  readonly #keys: Set<string> = new Set();
  readonly #rows: Map<string, StoredRecord> = new Map();
  readonly #lastRead: Map<string, Result> = new Map();

  private constructor(arena: Arena, build: Build, batchRecords: number) {
    this.#arena = arena;
    this.#build = build;
    this.#batchRecords = batchRecords;
    this.place = new Place({ isGuarded: build.isGuarded });
    arena.clear();
    new MapTable(arena.memory.mapTable).register(Buffer.from(MAP), 0, MAP.length);
    this.database = this.#openDatabase();
    this.#client = new Client(this.#memory);
    this.#interests = new RingProducer(this.#memory.interestRing);
    this.#worker = this.#startWorker();
    this.#engine = this.#startEngine();
  }

  /** `batchRecords`: most records of a batch. */
  static async begin(options: {
    arena: Arena;
    build?: Build;
    batchRecords?: number;
  }): Promise<World> {
    const { arena, build = PRODUCT, batchRecords = 1000 } = options;
    const world = new World(arena, build, batchRecords);
    await world.database.store.open({ takeOver: false });
    await world.quiesce();
    return world;
  }

  get #memory(): WorkerMemory {
    return this.#arena.memory.workers[0];
  }

  get #control(): Int32Array {
    return new Int32Array(this.#memory.control);
  }

  get isClean(): boolean {
    return this.#engine.isClean;
  }

  /** A turn of the worker would find something: it is asked for a batch, as a rule. */
  get hasWorkerWork(): boolean {
    return this.#worker.hasWork();
  }

  /** The worker has a pull to answer, now or when SAFE writes wait. */
  get isAsked(): boolean {
    const control = this.#control;
    const requested = loadWord(control, WorkerControl.PULL_REQUESTED);
    return requested !== loadWord(control, WorkerControl.PULL_SERVED);
  }

  /** A turn of the engine would find something. */
  get hasEngineWork(): boolean {
    return this.#engine.hasWork() || this.#engine.dueInMs() === 0;
  }

  // Steps.

  /** A client's write is on its way to the worker. */
  send(write: Write): void {
    this.#keys.add(write.key);
    this.#client.write(write);
  }

  /** A client's write is executed, with those that are on their way, and handed over where that is asked for. */
  async change(write: Write): Promise<void> {
    this.send(write);
    await this.work();
  }

  /** One turn of the worker. */
  async work(): Promise<void> {
    this.#worker.doWork();
    this.#client.listen((answer) => this.#onAnswer(answer));
    await this.#look();
  }

  /** Turns of the engine as long as they find something. */
  async engine(): Promise<void> {
    do {
      while (this.#engine.doWork() > 0);
      await turnOfEventLoop();
    } while (this.#engine.hasWork());
    this.#limitBatch();
    await this.#look();
  }

  /** Time passes until the engine is due. */
  async wait(): Promise<void> {
    this.nowMs += this.#engine.dueInMs();
    await this.engine();
  }

  /** `flush`: which of those under way, the oldest being 0; of the following too. */
  async commit(flush = 0): Promise<void> {
    this.database.commit(flush);
    await this.#look();
  }

  async fail(flush = 0): Promise<void> {
    this.database.fail(flush);
    await this.#look();
  }

  /** The commit has happened, and its answer was lost. */
  async lose(flush = 0): Promise<void> {
    writeAll(this.place, this.database.fail(flush));
    await this.#look();
  }

  /** The connection was given up, and the statement is still on its way. */
  async delay(flush = 0): Promise<void> {
    this.late.push(this.database.fail(flush));
    await this.#look();
  }

  /** A statement of an earlier attempt is carried out. */
  async arrive(statement = 0): Promise<void> {
    for (const records of this.late.splice(statement, 1)) writeAll(this.place, records);
    await this.#look();
  }

  /** The worker dies between two turns, and another one takes over its memory. */
  async killWorker(): Promise<void> {
    this.#worker = this.#startWorker();
    await this.work();
  }

  /** The persistence thread dies; its statement is still on its way. */
  async killThread(): Promise<void> {
    this.late.push(...this.database.abandon());
    this.#engine = this.#startEngine();
    await this.#look();
  }

  /**
   * The process dies, and the next one recovers. The fence lets nothing of the old one through any more;
   * `isCommitted`: what was on its way came before.
   */
  async crash(isCommitted: boolean): Promise<void> {
    const last = [...this.late.splice(0), ...this.database.abandon()];
    if (isCommitted) for (const records of last) writeAll(this.place, records);
    await this.#look();
    this.#waiting = [];
    this.#changes = [];
    this.#arena.clear();
    this.database = this.#openDatabase();
    await this.database.store.open({ takeOver: true });
    this.#client = new Client(this.#memory);
    this.#interests = new RingProducer(this.#memory.interestRing);
    this.#starts = 0;
    this.#worker = this.#startWorker();
    const idle = async (): Promise<void> => void this.#worker.doWork();
    const { Recovery } = this.#build;
    const recovery = new Recovery({
      memory: this.#arena.memory,
      idle,
      isStopping: () => false,
    });
    await recovery.run(this.database.store, () => {});
    // An empty table names no map; the gateway registers it then.
    new MapTable(this.#arena.memory.mapTable).register(Buffer.from(MAP), 0, MAP.length);
    this.#engine = this.#startEngine();
    await this.#requireEqual('after recovery');
    await this.quiesce();
  }

  /** Everything goes well from here on, until nothing is left to do. */
  async quiesce(): Promise<void> {
    for (let i = 0; ; i++) {
      if (i === 1000) throw new Violation('it does not come to an end');
      if (this.hasWorkerWork) await this.work();
      else if (this.hasEngineWork) await this.engine();
      else if (this.database.count > 0) await this.commit();
      else if (this.isClean) return;
      else await this.wait();
    }
  }

  /** To be asked once all is quiet and nothing is late. */
  async requireWhole(): Promise<void> {
    if (this.#waiting.length > 0) throw new Violation('a SAFE write was never answered');
    await this.#requireEqual('in the end');
  }

  // Promises.

  async #look(): Promise<void> {
    await turnOfEventLoop();
    const control = this.#control;
    for (const [id, before] of this.#rows) {
      const row = this.place.rows.get(id);
      if (row === undefined || compareRecords(row, before) < 0)
        throw new Violation(`the table had ${before.key} at ${before.ms}, and has an older one`);
    }
    for (const [id, row] of this.place.rows) this.#rows.set(id, row);
    for (const { write, partition, sequence } of this.#changes) {
      const flushed = loadWatermark(control, WorkerControl.flushedIndex(partition));
      if (sequence <= flushed && !this.#isStored(write))
        throw new Violation(
          `${write.key} at ${write.ms} counts as flushed and is not in the table`,
        );
    }
    this.#release(loadWord(control, WorkerControl.LANE_FLUSHED));
  }

  #release(laneFlushed: number): void {
    for (const answer of this.#waiting.splice(0))
      if (answer.lane !== undefined && ((laneFlushed - answer.lane) | 0) < 0)
        this.#waiting.push(answer);
      else this.#onRelease(answer);
  }

  #onRelease(answer: Answer): void {
    const { write, result } = answer;
    if (write === undefined) return;
    const standing = { ...write, ms: Number(result.stamp >> 16n) };
    if (result.refusal !== 0 || result.level !== Level.DATABASE)
      throw new Violation(
        `SAFE ${write.key} at ${write.ms} was answered with level ${result.level}`,
      );
    if (!this.#isStored(standing))
      throw new Violation(`${write.key} at ${standing.ms} was promised and is not in the table`);
    this.released.push(answer);
  }

  #onAnswer(answer: Answer): void {
    const { write, result } = answer;
    if (write === undefined) {
      this.#lastRead.set(String(result.requestId), result);
      return;
    }
    const { partition } = result;
    if (result.outcome === Code.APPLIED)
      this.#changes.push({ write, partition, sequence: Number(result.sequence) });
    if (write.isSafe === true) this.#waiting.push(answer);
  }

  /** The table has this write or a newer one. */
  #isStored(write: Write): boolean {
    const row = this.place.rows.get(idOf({ map: MAP, key: write.key }));
    return row !== undefined && row.ms >= write.ms;
  }

  /** Memory and table have the same of every key. */
  async #requireEqual(when: string): Promise<void> {
    const keys = [...this.#keys];
    this.#lastRead.clear();
    for (const key of keys) {
      this.#client.read(key);
      await this.work();
    }
    for (const [i, result] of [...this.#lastRead.values()].entries()) {
      const row = this.place.rows.get(idOf({ map: MAP, key: keys[i] }));
      const stored = row === undefined ? '' : `${row.ms}/${row.node} ${Buffer.from(row.value)}`;
      if (stored !== textOf(result))
        throw new Violation(`${when}: ${keys[i]} is ${textOf(result)} here and ${stored} there`);
    }
  }

  // Parts.

  #openDatabase(): HeldStore {
    return new HeldStore(new MemoryStore(this.place), this.place, this.#build.StoreError);
  }

  #startWorker(): Worker {
    this.#starts++;
    const at = this.#interests.claim(InterestKind.END, InterestEnd.WORDS);
    this.#interests.words[at + InterestEnd.START] = this.#starts;
    this.#interests.commit();
    return new this.#build.Worker(this.#memory, this.#arena.memory.doorbells, this.#starts);
  }

  #startEngine(): PersistenceEngine {
    return new this.#build.PersistenceEngine({
      memory: this.#arena.memory,
      store: this.database.store,
      now: () => this.nowMs,
      random: () => 0,
      report: () => {},
      isDown: false,
      onSettled: () => {},
      backgroundFlushes: 1,
    });
  }

  /** Stored before the worker sees the pull: nothing runs in between. */
  #limitBatch(): void {
    const control = this.#control;
    const wanted = loadWord(control, WorkerControl.PULL_RECORDS);
    storeWord(control, WorkerControl.PULL_RECORDS, Math.min(wanted, this.#batchRecords));
  }
}

function smallMemory(): SharedMemory {
  const { mapTable, doorbells, workers } = allocateSharedMemory({ workers: 1, arenaBytes: 64 });
  const ring = (): SharedArrayBuffer => new SharedArrayBuffer(ringBufferBytes(RING_BYTES));
  const worker: WorkerMemory = {
    worker: 0,
    workers: 1,
    arena: new SharedArrayBuffer(ARENA_BYTES),
    control: workers[0].control,
    effects: new SharedArrayBuffer(64 * EffectLayout.EFFECT_WORDS * 4),
    requestRing: ring(),
    interestRing: ring(),
    outboundRing: new SharedArrayBuffer(ringBufferBytes(1024 * 1024)),
    batchRing: ring(),
    recoveryRing: ring(),
  };
  return { workers: [worker], mapTable, doorbells };
}

function textOf({ stamp, node, value }: Result): string {
  return stamp === 0n ? '' : `${stamp >> 16n}/${node} ${Buffer.from(value)}`;
}
