import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { MessageChannel } from 'node:worker_threads';
import { PARTITIONS } from '@tidewire/core';
import { allocateSharedMemory, MapTable, RingConsumer } from '@tidewire/core/threads';
import t from 'tap';
import main from '#lib/persistence-main.js';
import type { DatabaseConnection } from '#lib/postgres-link.js';
import { PostgresStore } from '#lib/postgres-store.js';
import type { PersistenceCommand, PersistenceStatus } from '#lib/status.js';
import { TestServer } from './support/database.js';
import { turnOfEventLoop } from './support/fake-store.js';
import { FakeWorker } from './support/fake-worker.js';
import { KEYS, record, removal, VALUES } from './support/records.js';

const server = await TestServer.start(t);

/** The thread's task, run beside a fake worker. */
class Run {
  readonly memory = allocateSharedMemory({ workers: 1, arenaBytes: 64 });
  readonly worker = new FakeWorker(this.memory.workers[0], new MapTable(this.memory.mapTable));
  readonly statuses: PersistenceStatus[] = [];
  readonly #recovery = new RingConsumer(this.memory.workers[0].recoveryRing);
  readonly #channel = new MessageChannel();
  recovered = 0;

  async start(connection: DatabaseConnection, takeOver = false): Promise<void> {
    this.#channel.port1.on('message', (status) => this.statuses.push(status));
    const { memory } = this;
    let hasEnded = false;
    const ended = main({
      memory,
      connection,
      takeOver,
      epoch: undefined,
      port: this.#channel.port2,
    }).finally(() => {
      hasEnded = true;
    });
    while (!hasEnded) {
      while (this.#recovery.next()) this.recovered += this.#recovery.kind === 1 ? 1 : 0;
      this.#recovery.release();
      this.worker.answer();
      await turnOfEventLoop();
    }
    await ended;
    await turnOfEventLoop();
  }

  async until(kind: PersistenceStatus['kind']): Promise<void> {
    while (!this.statuses.some((status) => status.kind === kind)) await turnOfEventLoop();
  }

  stop(deadlineMs: number): void {
    const command: PersistenceCommand = { kind: 'stop', deadlineMs };
    this.#channel.port1.postMessage(command);
  }

  get kinds(): string[] {
    return this.statuses.map(({ kind }) => kind);
  }
}

t.test('REC-6, REC-21: what a stop has flushed the next start recovers, and knows', async (t) => {
  const connection = await server.freshDatabase();
  const first = new Run();
  const firstEnd = first.start(connection);
  await first.until('recovered');
  for (const [key, value] of Object.entries(VALUES)) first.worker.change(record(key, { value }));
  for (const key of KEYS) first.worker.change(record(key, { ms: 2e12, counter: 7 }), true);
  first.worker.change(removal('gone'));
  first.stop(30_000);
  await firstEnd;
  t.same(first.kinds, ['opened', 'recovered', 'stopped']);
  t.match(first.statuses.at(-1), { unflushed: 0 });
  const second = new Run();
  const secondEnd = second.start(connection);
  await second.until('recovered');
  second.stop(0);
  await secondEnd;
  const records = Object.keys(VALUES).length + KEYS.length + 1;
  t.equal(second.recovered, records);
  t.match(second.statuses, [
    { kind: 'opened', epoch: 2 },
    { kind: 'recovering', records },
    { kind: 'recovered', records, ms: 2e12, counter: 7 },
    { kind: 'stopped', unflushed: 0 },
  ]);
  const recovered = second.statuses.find((status) => status.kind === 'recovered');
  const base = recovered?.bases.get(1);
  t.equal(recovered?.bases.size, 1);
  for (let partition = 0; partition < PARTITIONS; partition++)
    t.equal(base?.[partition], first.worker.flushed(partition));
});

t.test('FENCE-7: a process that was taken over says so, even while idle, and ends', async (t) => {
  const connection = await server.freshDatabase();
  const first = new Run();
  const firstEnd = first.start(connection);
  await first.until('recovered');
  const second = new PostgresStore(connection);
  t.teardown(() => second.close());
  await second.open({ takeOver: true });
  await firstEnd;
  t.equal(first.statuses.filter(({ kind }) => kind === 'fenced').length, 1);
});

t.test('WB-27: a start that is refused says why and ends', async (t) => {
  const connection = await server.freshDatabase();
  const holder = new PostgresStore(connection);
  t.teardown(() => holder.close());
  await holder.open({ takeOver: false });
  const refused = new Run();
  await refused.start(connection);
  t.match(refused.statuses, [{ kind: 'failed', reason: /Another Tidewire/ }]);
});

t.test(
  'REC-12: a stop before recovery has ended is answered, with nothing unflushed',
  async (t) => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    t.teardown(() => silent.close());
    const { port } = silent.address() as AddressInfo;
    const run = new Run();
    const end = run.start({ url: `postgres://nobody@127.0.0.1:${port}/none` });
    await once(silent, 'connection');
    run.stop(0);
    await end;
    t.same(run.statuses, [{ kind: 'stopped', unflushed: 0 }]);
  },
);
