import { CONTROL_BACKLOG_MAX, SESSION_STREAMS_MAX } from '@tidewire/core';
import { allocateSharedMemory, MapTable } from '@tidewire/core/threads';
import { PartitionService, WorkerRequests } from '@tidewire/partition-worker/front';
import t from 'tap';
import type { Session } from '#lib/session/session.js';
import { type Delivery, StreamDesk } from '#lib/stream/stream-desk.js';

/** A desk, and a worker whose ring takes nothing while it is `blocked`. */
class Bench {
  readonly desk: StreamDesk;
  readonly begun: number[] = [];
  readonly #requests: WorkerRequests;
  #isBlocked = false;
  #last = 0;

  constructor() {
    const memory = allocateSharedMemory({ workers: 1, arenaBytes: 16 * 1024 * 1024 });
    const { owners } = new PartitionService(memory, new MapTable(memory.mapTable));
    this.#requests = new WorkerRequests(owners);
    this.desk = new StreamDesk({ requests: this.#requests, nextNumber: () => ++this.#last });
  }

  /** So many records wait for the worker. */
  block(count: number): void {
    this.#isBlocked = true;
    for (let i = 0; i < count; i++) this.#requests.send(0, () => !this.#isBlocked);
  }

  /** It takes them. Returns how many there were. */
  unblock(): number {
    this.#isBlocked = false;
    return this.#requests.sendOwed();
  }

  delivery(session: Session): Delivery {
    const streams = new Set([{ worker: 0, number: 0, owed: 0 }]);
    const request = ({ number }: { number: number }) => {
      return () => !this.#isBlocked && this.begun.push(number) > 0;
    };
    const delivery = { session, streams, request, onRecord: () => {}, onLost: () => true };
    this.desk.begin(delivery);
    return delivery;
  }
}

function newSession(): Session {
  return { connection: { bufferedBytes: () => 0 } } as Session;
}

t.test(
  'SUB-57: while very much waits for a worker nothing is begun and no credit given',
  async (t) => {
    const bench = new Bench();
    const running = bench.delivery(newSession());
    bench.desk.doWork();
    t.same(bench.begun, [1]);
    bench.block(CONTROL_BACKLOG_MAX);
    const waiting = bench.delivery(newSession());
    const [stream] = running.streams;
    for (let i = 0; i < 100; i++) {
      bench.desk.took(running, stream, 10);
      bench.desk.doWork();
    }
    bench.desk.cancel(bench.delivery(newSession()));
    t.equal(bench.unblock(), CONTROL_BACKLOG_MAX, 'nothing was added');
    t.equal(stream.owed, 1000);
    bench.desk.doWork();
    t.equal(stream.owed, 0, 'all of it together');
    t.same(bench.begun, [1, 2]);
    bench.block(CONTROL_BACKLOG_MAX);
    for (const delivery of [running, waiting]) bench.desk.cancel(delivery);
    t.equal(bench.unblock(), CONTROL_BACKLOG_MAX + 2, 'an end finds its place');
    t.equal(bench.desk.sessions, 0);
  },
);

t.test('SUB-18: what waits for a place begins in order, but for what has ended', async (t) => {
  const bench = new Bench();
  const session = newSession();
  const all = Array.from({ length: 1000 }, () => bench.delivery(session));
  bench.desk.doWork();
  t.equal(bench.begun.length, SESSION_STREAMS_MAX);
  for (const delivery of all.slice(SESSION_STREAMS_MAX, -2)) bench.desk.cancel(delivery);
  for (const delivery of all.slice(0, SESSION_STREAMS_MAX)) {
    const [stream] = delivery.streams;
    bench.desk.end(delivery, stream);
  }
  bench.desk.doWork();
  const numbers = all.slice(-2).flatMap(({ streams }) => [...streams].map(({ number }) => number));
  t.same(bench.begun.slice(SESSION_STREAMS_MAX), numbers);
  for (const delivery of all.slice(-2)) bench.desk.cancel(delivery);
  t.equal(bench.desk.sessions, 0);
});
