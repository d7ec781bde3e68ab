import { loadWatermark, loadWord, type SharedMemory, WorkerControl } from '@tidewire/core/threads';
import type { Gateway, HttpAnswer, SubscriptionCounts } from '@tidewire/gateway';
import { FlushLag } from './flush-lag.js';

const SPAN_BYTES = 64 * 1024;

/** What a server holds and how it fares. */
export interface Facts extends SubscriptionCounts {
  readonly records: number;
  /** Memory of records in use, and what they may take. */
  readonly bytes: number;
  readonly bytesLimit: number;
  /** Changes that the database does not have, and the age of the oldest of them, at most. */
  readonly dirty: number;
  readonly flushLagMs: number;
  readonly database: 'starting' | 'up' | 'down';
  /** Why it is down. */
  readonly outage: string | undefined;
  /** Records that the database has refused since the start. */
  readonly buried: number;
  readonly connections: number;
  /** Sessions with a query under way. */
  readonly querying: number;
  readonly workers: number;
  readonly loads: readonly WorkerLoad[];
  readonly epoch: number;
  readonly version: string;
}

/** What is asked of one worker, and what its predicates have cost since its start. */
export interface WorkerLoad {
  readonly streams: number;
  readonly mapTopics: number;
  readonly keyTopics: number;
  readonly predicateTopics: number;
  readonly predicatesLinear: number;
  readonly predicatesFound: number;
  readonly predicatesConcerned: number;
}

/** Where a server stands; what the HTTP paths tell. */
export class Status {
  phase: 'starting' | 'recovering' | 'ready' | 'stopping' = 'starting';
  epoch = 0;
  recovered = 0;
  /** Records that the database has refused since the start. */
  buried = 0;
  #database: 'starting' | 'up' | 'down' = 'starting';
  /** Why it is down. It may name hosts: for the operator alone. */
  #outage: string | undefined;
  readonly #memory: SharedMemory;
  readonly #version: string;
  readonly #nowMs: () => number;
  readonly #gateway: () => Gateway;
  readonly #lags: readonly FlushLag[];

  constructor(options: {
    memory: SharedMemory;
    version: string;
    nowMs: () => number;
    gateway: () => Gateway;
  }) {
    this.#memory = options.memory;
    this.#version = options.version;
    this.#nowMs = options.nowMs;
    this.#gateway = options.gateway;
    this.#lags = options.memory.workers.map(
      ({ control }) => new FlushLag(control, options.nowMs()),
    );
  }

  get database(): 'starting' | 'up' | 'down' {
    return this.#database;
  }

  onDatabaseUp(): void {
    this.#database = 'up';
    this.#outage = undefined;
  }

  onDatabaseDown(reason: string): void {
    this.#database = 'down';
    this.#outage = reason;
  }

  /** Call several times a second: tells how old is what is dirty. */
  observe(): void {
    for (const lag of this.#lags) lag.observe(this.#nowMs());
  }

  /** For everybody. */
  answer(path: string): HttpAnswer {
    switch (path) {
      case '/healthz':
        return json(200, { status: 'ok' });
      case '/readyz':
        return json(this.phase === 'ready' ? 200 : 503, {
          status: this.phase,
          database: this.database,
          recovered: this.recovered,
        });
      default:
        return json(404, { error: 'There are /healthz and /readyz.' });
    }
  }

  /** For the operator. */
  facts(): Facts {
    const dirty = this.#lags.reduce((sum, lag) => sum + lag.dirty, 0);
    const gateway = this.#gateway();
    return {
      records: this.#sum(WorkerControl.RECORDS),
      bytes: this.#sum(WorkerControl.SPANS) * SPAN_BYTES,
      bytesLimit: this.#memory.workers.reduce((sum, { arena }) => sum + arena.byteLength, 0),
      dirty,
      flushLagMs: Math.max(...this.#lags.map((lag) => lag.lagMs(this.#nowMs()))),
      database: this.#database,
      outage: this.#outage,
      buried: this.buried,
      connections: gateway.connections,
      ...gateway.subscriptionCounts,
      querying: gateway.querying,
      workers: this.#memory.workers.length,
      loads: this.#memory.workers.map(({ control }) => loadOf(new Int32Array(control))),
      epoch: this.epoch,
      version: this.#version,
    };
  }

  #sum(index: number): number {
    return this.#memory.workers.reduce(
      (sum, { control }) => sum + loadWord(new Int32Array(control), index),
      0,
    );
  }
}

function loadOf(control: Int32Array): WorkerLoad {
  return {
    streams: loadWord(control, WorkerControl.STREAMS),
    mapTopics: loadWord(control, WorkerControl.TOPICS_MAP),
    keyTopics: loadWord(control, WorkerControl.TOPICS_KEY),
    predicateTopics: loadWord(control, WorkerControl.TOPICS_PREDICATE),
    predicatesLinear: loadWord(control, WorkerControl.PREDICATES_LINEAR),
    predicatesFound: loadWatermark(control, WorkerControl.PREDICATES_FOUND),
    predicatesConcerned: loadWatermark(control, WorkerControl.PREDICATES_CONCERNED),
  };
}

function json(status: number, body: object): HttpAnswer {
  const texts: Readonly<Record<number, string>> = {
    200: '200 OK',
    404: '404 Not Found',
    503: '503 Service Unavailable',
  };
  return { status: texts[status], body: `${JSON.stringify(body)}\n` };
}
