import { availableParallelism, constants, setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import { BACKOFF_MAX_MS, DATABASE_START_MS, PROBE_INTERVAL_MS } from '@tidewire/core';
import { Doorbell, PERSISTENCE_DOORBELL, type SharedMemory } from '@tidewire/core/threads';
import { backgroundFlushesOf, backoffMs } from './flush-window.js';
import { Heartbeat } from './heartbeat.js';
import { PersistenceEngine } from './persistence-engine.js';
import type { DatabaseConnection } from './postgres-link.js';
import { PostgresStore } from './postgres-store.js';
import { Recovery, StoppedError } from './recovery.js';
import type { PersistenceCommand, PersistenceStatus } from './status.js';
import { type Opening, type Store, StoreError } from './store.js';

/** What the persistence thread is started with. `port` goes into the transfer list. */
export interface PersistenceTask {
  readonly memory: SharedMemory;
  readonly connection: DatabaseConnection;
  readonly takeOver: boolean;
  /** Of a thread that has died with all records in memory: go on in its place. */
  readonly epoch: number | undefined;
  /** Sends PersistenceStatus, receives PersistenceCommand. */
  readonly port: MessagePort;
}

/** A worker that reads its recovery ring does not ring back; so long at most is lost. */
const ROOM_POLL_MS = 2;

/**
 * The thread's one endless task: open, recover, then write behind until told to stop. A fault of our
 * own ends the thread, and its owner starts another.
 */
export default async function main(task: PersistenceTask): Promise<void> {
  const { memory, port } = task;
  const report = (status: PersistenceStatus): void => port.postMessage(status);
  const doorbell = new Doorbell(new Int32Array(memory.doorbells), PERSISTENCE_DOORBELL);
  const store = new PostgresStore(task.connection, { epoch: task.epoch });
  const stop = stopCommand(port, doorbell);
  const heartbeat = new Heartbeat(memory);
  try {
    if (task.epoch === undefined)
      await heartbeat.during(recover({ store, task, doorbell, stop, report }));
    yieldToForeground();
    let isRunning = true;
    const engine: PersistenceEngine = new PersistenceEngine({
      memory,
      store,
      now: () => performance.now(),
      random: Math.random,
      report,
      isDown: task.epoch !== undefined,
      backgroundFlushes: backgroundFlushesOf(availableParallelism()),
      // SAFE writes wait for what has settled: it is looked at before the sleep has ended.
      onSettled: () => {
        if (isRunning) engine.doWork();
        doorbell.ring();
      },
    });
    await run({ engine, doorbell, stop, heartbeat });
    isRunning = false;
    const { unflushed } = engine; // what changes now are ends of lifetimes: the next start finds them again
    await heartbeat.during(end(engine, stop));
    report({ kind: 'stopped', unflushed });
  } catch (error) {
    if (error instanceof StoppedError) report({ kind: 'stopped', unflushed: 0 });
    else if (error instanceof StoreError)
      report({ kind: error.kind === 'FENCED' ? 'fenced' : 'failed', reason: error.message });
    else throw error;
  } finally {
    await heartbeat.during(store.close());
    port.close(); // tells the owner that nothing more will come
  }
}

/** Clients wait for recovery, and for no flush. Only Linux takes it for this thread alone. */
function yieldToForeground(): void {
  if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
}

/** Everything of the store into the workers. Rejects with StoreError or StoppedError. */
async function recover(start: {
  store: Store;
  task: PersistenceTask;
  doorbell: Doorbell;
  stop: Readonly<Stop>;
  report: (status: PersistenceStatus) => void;
}): Promise<void> {
  const { store, task, doorbell, stop, report } = start;
  const opening = await Promise.race([open(store, task.takeOver, stop), stop.asked]);
  report({ kind: 'opened', ...opening });
  const recovery = new Recovery({
    memory: task.memory,
    idle: (hasRoom) => doorbell.sleepAsync(hasRoom, ROOM_POLL_MS),
    isStopping: () => stop.atMs !== undefined,
  });
  const progress = (records: number): void => report({ kind: 'recovering', records });
  report({ kind: 'recovered', ...(await recovery.run(store, progress)) });
}

interface Stop {
  /** When to give up; undefined until the owner says stop. */
  atMs: number | undefined;
  /** Rejects with StoppedError when the owner says stop. */
  readonly asked: Promise<never>;
}

/** A database that is just starting is waited for. */
async function open(store: Store, takeOver: boolean, stop: Readonly<Stop>): Promise<Opening> {
  const lastMs = performance.now() + DATABASE_START_MS;
  for (let failures = 1; ; failures++) {
    try {
      return await store.open({ takeOver });
    } catch (error) {
      const isOutage = error instanceof StoreError && error.kind === 'UNAVAILABLE';
      if (!isOutage || stop.atMs !== undefined || performance.now() + BACKOFF_MAX_MS > lastMs)
        throw error;
      await delay(backoffMs(failures, Math.random()));
    }
  }
}

function stopCommand(port: MessagePort, doorbell: Doorbell): Readonly<Stop> {
  let endStart = (_: StoppedError): void => {};
  const asked = new Promise<never>((_, reject) => {
    endStart = reject;
  });
  asked.catch(() => {}); // past the start nobody waits for it
  const stop: Stop = { atMs: undefined, asked };
  port.on('message', (command: PersistenceCommand) => {
    stop.atMs = performance.now() + command.deadlineMs;
    endStart(new StoppedError('Told to stop during the start.'));
    doorbell.ring();
  });
  return stop;
}

async function run(thread: {
  engine: PersistenceEngine;
  doorbell: Doorbell;
  stop: Readonly<Stop>;
  heartbeat: Heartbeat;
}): Promise<void> {
  const { engine, doorbell, stop, heartbeat } = thread;
  for (;;) {
    heartbeat.beat();
    if (engine.isFenced) return;
    if (stop.atMs !== undefined) {
      engine.drain();
      if (engine.isClean || performance.now() >= stop.atMs) return;
    }
    engine.doWork();
    if (engine.hasWork()) await new Promise(setImmediate);
    else await doorbell.sleepAsync(() => engine.hasWork(), sleepMs(engine));
  }
}

/** What is left undone costs clients a snapshot, no more: an outage holds up no stop. */
async function end(engine: PersistenceEngine, stop: Readonly<Stop>): Promise<void> {
  if (engine.isFenced || !engine.isClean || stop.atMs === undefined) return;
  const late = delay(Math.max(0, stop.atMs - performance.now()), undefined, { ref: false });
  await Promise.race([engine.end().catch(requireOutage), late]);
}

function requireOutage(error: unknown): void {
  if (!(error instanceof StoreError)) throw error; // a bug: the thread ends
}

function sleepMs(engine: PersistenceEngine): number {
  return Math.min(PROBE_INTERVAL_MS, Math.max(1, engine.dueInMs()));
}
