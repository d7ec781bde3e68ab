import { StartFrom } from '@tidewire/schemas';
import { TestBench } from './bench.js';
import type { FakeClient } from './fake-transport.js';
import { SimulatedDatabase } from './simulated-database.js';
import { type Change, changeOf } from './simulated-history.js';

const FIRST_EPOCH = 42;
/** Fewer than a server keeps, so that older cursors come up. */
const EPOCHS_KEPT = 2;
const RESTART_MS = 1000;
const HALF_HOUR_MS = 30 * 60 * 1000;
const HALF_HOURS = 5;

const everywhere = (): boolean => true;

/** A server of one map with its database: it can be stopped or killed, and starts anew on its rows. */
export class SimulatedServer {
  bench: TestBench;
  /** Hears of everything in turn, and may write. */
  writer: FakeClient;
  epoch: number = FIRST_EPOCH;
  readonly database: SimulatedDatabase;
  #taken = 0;
  #unflushed: Change[] = [];
  readonly #map: string;
  readonly #workers: number;

  constructor(map: string, workers: number) {
    this.#map = map;
    this.#workers = workers;
    this.database = new SimulatedDatabase(map);
    this.bench = new TestBench({ workers, epoch: this.epoch });
    this.writer = this.#openWriter();
  }

  /** The database takes in all changes of some partitions; keeps the bases too, or not yet. */
  flush(isWanted: (partition: number) => boolean = everywhere, keeps = true): void {
    for (; this.#taken < this.writer.frames.length; this.#taken++) {
      const { body } = this.writer.frames[this.#taken];
      if (body.case === 'events') this.#unflushed.push(...body.value.events.map(changeOf));
    }
    this.#unflushed = this.database.flush(this.bench, this.#unflushed, isWanted);
    if (keeps) this.database.keepBases(this.epoch);
  }

  /** So long that tombstones are collected. */
  passHours(onHalfHour: () => void = () => {}): void {
    for (let i = 0; i < HALF_HOURS; i++) {
      this.bench.nowMs += HALF_HOUR_MS;
      this.bench.settle();
      onHalfHour();
      this.flush();
      this.database.collect(this.bench, true);
    }
    this.bench.settle();
  }

  /** As after kill -9: what is not in the database is lost. */
  startAnew(): void {
    const bases = new Map([...this.database.bases].slice(-EPOCHS_KEPT));
    const nowMs = this.bench.nowMs + RESTART_MS;
    this.bench = new TestBench({ workers: this.#workers, epoch: ++this.epoch, bases });
    this.database.recoverInto(this.bench);
    this.writer = this.#openWriter();
    this.bench.nowMs = nowMs; // no lifetime may end before there is one to hear of it
    this.#taken = 0;
    this.#unflushed = [];
  }

  #openWriter(): FakeClient {
    const writer = this.bench.client(1);
    const value = { subscriptionId: 1, map: this.#map, start: StartFrom.NOW };
    writer.say({ case: 'subscribe', value });
    while (writer.last('subscribed') === undefined) this.bench.turn();
    return writer;
  }
}
