import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { BroadcastChannel } from 'node:worker_threads';
import { DATABASE_START_MS, PERSISTENCE_HANG_MS, RESTARTS_FRUITLESS_MAX } from '@tidewire/core';
import {
  allocateSharedMemory,
  loadWord,
  MapTable,
  PERSISTENCE_HEARTBEAT,
  RingConsumer,
} from '@tidewire/core/threads';
import t, { type Test } from 'tap';
import { PersistenceThread } from '#lib/persistence-thread.js';
import type { DatabaseConnection } from '#lib/postgres-link.js';
import type { PersistenceStatus } from '#lib/status.js';
import { TestServer } from './support/database.js';
import { turnOfEventLoop } from './support/fake-store.js';
import { FakeWorker } from './support/fake-worker.js';
import { CHANNEL, HANG, HUNG } from './support/hang-on-call.js';
import { KEYS, record } from './support/records.js';

const server = await TestServer.start(t);
const preload = new URL('./support/hang-on-call.js', import.meta.url).href;
process.env['NODE_OPTIONS'] = `${process.env['NODE_OPTIONS'] ?? ''} --import ${preload}`;

const HANGS = /took no turn for too long/;

/** A real thread beside a fake worker, watched by a clock that the test moves. */
class Watched {
  readonly memory = allocateSharedMemory({ workers: 1, arenaBytes: 64 });
  readonly worker = new FakeWorker(this.memory.workers[0], new MapTable(this.memory.mapTable));
  readonly statuses: PersistenceStatus[] = [];
  readonly downs: { cause: unknown; isGivenUp: boolean }[] = [];
  readonly thread: PersistenceThread;
  nowMs = 0;
  readonly #recovery = new RingConsumer(this.memory.workers[0].recoveryRing);
  readonly #channel = new BroadcastChannel(CHANNEL);
  #hung = 0;

  constructor(t: Test, connection: DatabaseConnection) {
    t.teardown(() => this.#end());
    this.#channel.onmessage = (message): void => {
      if ((message as MessageEvent).data === HUNG) this.#hung++;
    };
    this.thread = new PersistenceThread({
      memory: this.memory,
      connection,
      takeOver: false,
      onStatus: (status) => this.statuses.push(status),
      onDown: (cause, isGivenUp) => this.downs.push({ cause, isGivenUp }),
      nowMs: () => this.nowMs,
    });
  }

  static async start(t: Test): Promise<Watched> {
    const watched = new Watched(t, await server.freshDatabase());
    await watched.until(() => watched.hasSaid('recovered'));
    return watched;
  }

  get heartbeat(): number {
    return loadWord(new Int32Array(this.memory.doorbells), PERSISTENCE_HEARTBEAT);
  }

  hasSaid(kind: PersistenceStatus['kind']): boolean {
    return this.statuses.some((status) => status.kind === kind);
  }

  /** Lets the worker do its part until the condition holds. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      while (this.#recovery.next());
      this.#recovery.release();
      this.worker.answer();
      await turnOfEventLoop();
    }
  }

  /** Resolves once the thread hangs. */
  async hang(): Promise<void> {
    const { heartbeat } = this;
    await this.until(() => this.heartbeat !== heartbeat); // one that is just starting does not listen yet
    const before = this.#hung;
    this.#channel.postMessage(HANG);
    await this.until(() => this.#hung > before);
    this.thread.checkHang(); // sees the last beat
  }

  /** Time passes, and the owner looks. */
  look(ms: number): void {
    this.nowMs += ms;
    this.thread.checkHang();
  }

  async #end(): Promise<void> {
    this.#channel.close();
    await this.thread.stop(0);
  }
}

t.test(
  'OUTAGE-17: a persistence thread that hangs is replaced and nothing is skipped',
  async (t) => {
    const watched = await Watched.start(t);
    const { worker, downs } = watched;
    for (const key of KEYS) worker.change(record(key));
    const { partition } = worker.change(record('before'));
    await watched.until(() => worker.flushed(partition) > 0);
    await watched.hang();
    const after = worker.change(record('after'));
    watched.look(PERSISTENCE_HANG_MS - 1);
    await turnOfEventLoop();
    t.same(downs, [], 'not yet');
    watched.look(1);
    await watched.until(() => downs.length > 0);
    t.match(downs, [{ cause: { message: HANGS }, isGivenUp: false }]);
    await watched.until(() => worker.flushed(after.partition) >= after.sequence);
    await watched.until(() => watched.hasSaid('up'));
    t.equal(
      watched.statuses.filter(({ kind }) => kind === 'opened').length,
      1,
      'in the same epoch',
    );
  },
);

t.test('OUTAGE-18: a persistence thread that hangs again and again is given up', async (t) => {
  const watched = await Watched.start(t);
  const { downs } = watched;
  while (!downs.some(({ isGivenUp }) => isGivenUp)) {
    const { length } = downs;
    await watched.hang();
    watched.look(DATABASE_START_MS); // it may have hung before its first turn
    await watched.until(() => downs.length > length);
  }
  t.equal(downs.length, RESTARTS_FRUITLESS_MAX + 1);
  t.ok(downs.every(({ cause }) => HANGS.test((cause as Error).message)));
});

t.test(
  'OUTAGE-19: a thread that waits for the database, or is idle, goes on beating',
  async (t) => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    t.teardown(() => silent.close());
    const { port } = silent.address() as AddressInfo;
    const opening = new Watched(t, { url: `postgres://nobody@127.0.0.1:${port}/none` });
    await once(silent, 'connection');
    for (const watched of [opening, await Watched.start(t)]) {
      for (let beats = 0; beats < 2; beats++) {
        const { heartbeat } = watched;
        await watched.until(() => watched.heartbeat !== heartbeat);
        watched.look(PERSISTENCE_HANG_MS - 1);
      }
      t.same(watched.downs, []);
    }
  },
);
