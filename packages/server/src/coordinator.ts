import { randomBytes, randomInt } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import {
  CLOCK_BOUND_INTERVAL_MS,
  Code,
  DRIFT_MS_MAX,
  HANG_LOOK_INTERVAL_MS,
  HybridLogicalClock,
  NODE_MAX,
  SESSION_HARD_BYTES,
  STRANGER_BYTES_MAX,
  TRANSPORT_FRAME_BYTES_MAX,
} from '@tidewire/core';
import {
  allocateSharedMemory,
  Doorbell,
  GATEWAY_DOORBELL,
  type SharedMemory,
} from '@tidewire/core/threads';
import {
  type AccessRules,
  createTransport,
  Gateway,
  GatewayLoop,
  originRule,
  PortLostError,
  type Transport,
  TurnTime,
} from '@tidewire/gateway';
import { loadProcessors, type WorkerDown, WorkerThreads } from '@tidewire/partition-worker';
import {
  ClockBound,
  type DatabaseConnection,
  EmbeddedDatabase,
  type PersistenceStatus,
  PersistenceThread,
} from '@tidewire/persistence';
import { readAccessRules } from './access-rules.js';
import { adminPages } from './admin-pages.js';
import { AdminServer } from './admin-server.js';
import type { Config } from './config.js';
import { type Log, sessionLogOf } from './log.js';
import { Status } from './status.js';

const DEADLINES_INTERVAL_MS = 100;
const CROWD_LOG_INTERVAL_MS = 10_000;
const PROGRESS_LOG_INTERVAL_MS = 1000;
/** For answers that are under way, and then for the last flushes. */
const DRAIN_MS_MAX = 2000;
const FLUSH_MS_MAX = 8000;
/** For a database that is still starting when the process is told to stop. */
const DATABASE_MS_MAX = 8000;
const SETTLE_POLL_MS = 5;

/** The server cannot start, or can no longer run; the message is a sentence for the operator. */
class ServerError extends Error {
  override name = 'ServerError';
}

/**
 * The composition root: starts the threads in order, watches over them, and stops them in order.
 *
 *     memory → listening (HTTP answers) → database → workers → recovery → open for connections
 */
export class Coordinator {
  readonly #config: Config;
  readonly #log: Log;
  readonly #memory: SharedMemory;
  readonly #clock: HybridLogicalClock;
  readonly #clockBound: ClockBound;
  readonly #gateway: Gateway;
  readonly #loop: GatewayLoop;
  readonly #status: Status;
  readonly #timers: NodeJS.Timeout[] = [];
  /** From the pool's start to its end. */
  #hangTimer: NodeJS.Timeout | undefined;
  readonly #onFatal: (reason: string) => void;
  #transport: Transport | undefined;
  #admin: AdminServer | undefined;
  #embedded: EmbeddedDatabase | undefined;
  #pool: WorkerThreads | undefined;
  #persistence: PersistenceThread | undefined;
  #onRecovered: () => void = () => {};
  #onEnded: (reason: Error) => void = () => {};
  /** Resolves when all workers have their records. */
  readonly #recovered: Promise<void> = new Promise((resolve) => {
    this.#onRecovered = resolve;
  });
  /** Rejects with the first failure, or when told to stop: a start under way goes no further. */
  readonly #ended: Promise<never> = new Promise((_, reject) => {
    this.#onEnded = reject;
  });
  /** By what cursors of earlier connections and starts are judged. */
  #store = 0n;
  #bases: ReadonlyMap<number, Float64Array> = new Map();
  /** Newcomers turned away, as far as the log tells. */
  #turnedAway = 0;
  /** Connections closed as UNAUTHENTICATED, as far as the log tells. */
  #unauthenticated = 0;
  #progressLoggedMs = 0;
  /** Undefined from recovery until the persistence thread has told. */
  #unflushed: number | undefined = 0;

  /** `onFatal`: the server can no longer run; call `stop` and end the process. */
  constructor(options: {
    config: Config;
    log: Log;
    version: string;
    onFatal: (reason: string) => void;
  }) {
    this.#config = options.config;
    this.#log = options.log;
    this.#onFatal = options.onFatal;
    this.#ended.catch(() => {}); // past the start nobody waits for it
    const { arenaBytes, workers, dataDir } = options.config;
    this.#memory = allocateSharedMemory({ workers, arenaBytes });
    const time = new TurnTime(Date.now, () => performance.now());
    this.#clock = new HybridLogicalClock({ now: () => time.nowMs, driftMs: DRIFT_MS_MAX });
    this.#clockBound = new ClockBound({ dataDir, now: Date.now });
    this.#status = new Status({
      memory: this.#memory,
      version: options.version,
      nowMs: () => performance.now(),
      gateway: () => this.#gateway,
    });
    this.#gateway = new Gateway({
      memory: this.#memory,
      clock: this.#clock,
      time,
      node: randomInt(1, NODE_MAX + 1),
      version: options.version,
      mapTtls: options.config.mapTtls,
      limits: options.config.limits,
      random: randomBytes,
      publish: (topic, bytes) => this.#transport?.publish(topic, bytes),
      http: (path) => this.#status.answer(path),
      onWork: () => this.#loop.wake(),
      onTaken: (operations) => this.#loop.onTaken(operations),
      log: sessionLogOf(this.#log),
      onDenied: (denial) => this.#log.warn(denial, 'not permitted'),
    });
    this.#loop = new GatewayLoop({
      gateway: this.#gateway,
      doorbell: new Doorbell(new Int32Array(this.#memory.doorbells), GATEWAY_DOORBELL),
      nowUs: () => performance.now() * 1000,
    });
  }

  /** Resolves with its ports once connections are taken. Rejects with a sentence. */
  async start(): Promise<{ port: number; adminPort: number }> {
    if (this.#config.isSecretIgnored)
      this.#log.warn(
        {},
        'TIDEWIRE_AUTH_SECRET is ignored: no token is asked for without --auth jwt',
      );
    const rules = await this.#step(this.#readAccessRules());
    await this.#step(makeFolder(this.#config.dataDir));
    const startMs = await this.#step(this.#clockBound.read());
    const port = await this.#step(this.#listen());
    const adminPort = await this.#step(this.#listenForOperator());
    const processors = await this.#step(this.#loadProcessors());
    const connection = await this.#step(this.#openDatabase());
    this.#startPool(processors);
    this.#loop.wake();
    this.#status.phase = 'recovering';
    this.#startPersistence(connection);
    this.#hangTimer = setInterval(() => this.#checkHangs(), HANG_LOOK_INTERVAL_MS);
    await this.#step(this.#recovered);
    this.#clock.ms = Math.max(this.#clock.ms, startMs);
    this.#clock.boundMs = await this.#step(this.#firstClockBound());
    this.#every(CLOCK_BOUND_INTERVAL_MS, () => void this.#raiseClockBound());
    this.#every(DEADLINES_INTERVAL_MS, () => {
      this.#gateway.checkDeadlines();
      this.#status.observe();
    });
    this.#every(CROWD_LOG_INTERVAL_MS, () => this.#logTurnedAway());
    const start = { epoch: this.#status.epoch, store: this.#store, bases: this.#bases };
    this.#gateway.open(start, rules);
    this.#status.phase = 'ready';
    return { port, adminPort };
  }

  /**
   * Stops in order, also a start that is under way, which then rejects. Resolves with the number of
   * changes that did not reach the database; undefined: nobody knows. Call once.
   */
  async stop(): Promise<number | undefined> {
    this.#status.phase = 'stopping';
    this.#onEnded(new ServerError('The server was stopped while it started.'));
    this.#gateway.drain();
    this.#transport?.stopListening();
    await this.#settleRequests();
    await this.#persistence?.stop(FLUSH_MS_MAX);
    this.#gateway.doWork();
    this.#gateway.flush(); // SAFE results of the last batch
    for (const timer of this.#timers) clearInterval(timer);
    this.#transport?.close();
    this.#admin?.close();
    await this.#pool?.stop();
    clearInterval(this.#hangTimer);
    this.#loop.stop();
    await this.#closeDatabase();
    return this.#unflushed;
  }

  /** Reads what may change while the server runs: the key and the certificate of TLS. */
  async reload(): Promise<void> {
    if (this.#config.tls === undefined) {
      this.#log.info({}, 'there is nothing to be read again: without TLS SIGHUP changes nothing');
      return;
    }
    try {
      await this.#transport?.reloadTls();
      this.#log.info({}, 'key and certificate have been read again');
    } catch (error) {
      const reason = (error as Error).message;
      if (error instanceof PortLostError) return this.#fail(reason);
      this.#log.error({ reason }, 'the old certificate stays in use');
    }
  }

  #logTurnedAway(): void {
    const { turnedAway, connections } = this.#gateway.admission;
    const count = turnedAway - this.#turnedAway;
    this.#turnedAway = turnedAway;
    if (count > 0) this.#log.warn({ count, connections }, 'newcomers were turned away by limits');
    const refused = this.#gateway.telemetry.counters.closings[Code.UNAUTHENTICATED];
    const failures = refused - this.#unauthenticated;
    this.#unauthenticated = refused;
    if (failures > 0)
      this.#log.warn({ count: failures }, 'connections showed no valid token in time');
  }

  /** One step of the start, unless the start has been ended meanwhile. */
  #step<T>(work: Promise<T>): Promise<T> {
    return Promise.race([this.#ended, work]);
  }

  async #readAccessRules(): Promise<AccessRules | undefined> {
    const { auth } = this.#config;
    return auth && (await readAccessRules(auth, Date.now));
  }

  async #listen(): Promise<number> {
    const { transport, tls, allowOrigin, limits } = this.#config;
    const options = {
      frameBytesMax: TRANSPORT_FRAME_BYTES_MAX,
      strangerBytesMax: STRANGER_BYTES_MAX,
      bufferBytesMax: SESSION_HARD_BYTES,
      idleTimeoutMs: 1000 * limits.heartbeatSeconds,
      allowsOrigin: originRule(allowOrigin),
      tls,
    };
    this.#transport = await createTransport(transport, this.#gateway, options, (reason) =>
      this.#log.warn({ reason }, 'the transport is ws, which is slower than uWebSockets'),
    );
    return await this.#transport.listen(this.#config.host, this.#config.port);
  }

  async #listenForOperator(): Promise<number> {
    const { adminHost, adminPort } = this.#config;
    this.#admin = new AdminServer(adminPages(this.#status, this.#gateway));
    return await this.#admin.listen(adminHost, adminPort);
  }

  async #openDatabase(): Promise<DatabaseConnection> {
    if (this.#config.databaseUrl !== undefined) return { url: this.#config.databaseUrl };
    this.#embedded = new EmbeddedDatabase({
      dataDir: join(this.#config.dataDir, 'postgres'),
      onEnd: (reason) => this.#onDatabaseEnd(reason),
      onReturn: () => this.#log.info({}, 'the embedded database runs again'),
    });
    return await this.#embedded.connection();
  }

  /** FAST writes are in memory alone then: the server goes on, as in any outage. */
  #onDatabaseEnd(reason: string): void {
    this.#log.error({ reason }, 'the embedded database has ended and is started again');
    if (this.#status.phase !== 'ready') this.#fail('The embedded database has ended.');
  }

  /** One that takes too long to start is ended with the process. */
  async #closeDatabase(): Promise<void> {
    const late = delay(DATABASE_MS_MAX, undefined, { ref: false });
    await Promise.race([this.#embedded?.stop(), late]);
  }

  /** URL of the module with the processors, once it has been read. */
  async #loadProcessors(): Promise<string | undefined> {
    const { processors } = this.#config;
    if (processors === undefined) return undefined;
    const { href } = pathToFileURL(processors);
    try {
      const loaded = await loadProcessors(href);
      this.#gateway.allowProcessors(loaded.map(({ name }) => name));
    } catch (error) {
      const { message } = error as Error;
      throw new ServerError(`The processors in ${processors} cannot be loaded: ${message}.`);
    }
    return href;
  }

  #startPool(processors: string | undefined): void {
    this.#pool = new WorkerThreads({
      memory: this.#memory,
      processors,
      onStart: (worker, start) => this.#gateway.onWorkerStart(worker, start),
      onDown: (down) => this.#onWorkerDown(down),
      nowMs: () => performance.now(),
      wait: delay,
    });
  }

  #onWorkerDown({ worker, cause, isHung, isGivenUp, poison }: WorkerDown): void {
    const said = cause instanceof Error ? cause.message : String(cause);
    const reason = isHung ? 'It took no turn for too long.' : said;
    this.#log.error({ worker, reason }, 'a partition worker has ended');
    if (poison !== undefined)
      this.#log.error({ worker, sha256: poison }, 'an operation that ended two workers is skipped');
    if (isGivenUp) this.#fail(reason);
  }

  #startPersistence(connection: DatabaseConnection): void {
    this.#log.info({}, 'opening the database');
    this.#progressLoggedMs = performance.now();
    this.#persistence = new PersistenceThread({
      memory: this.#memory,
      connection,
      takeOver: this.#config.takeOver,
      onStatus: (status) => this.#onPersistence(status),
      onDown: (cause, isGivenUp) => this.#onPersistenceDown(cause, isGivenUp),
      nowMs: () => performance.now(),
    });
  }

  #checkHangs(): void {
    this.#pool?.checkHangs();
    this.#persistence?.checkHang();
  }

  /** Until another one flushes again, writes are in memory alone, as in any outage. */
  #onPersistenceDown(cause: unknown, isGivenUp: boolean): void {
    const reason = cause instanceof Error ? cause.message : String(cause);
    if (isGivenUp) return this.#fail(reason);
    this.#status.onDatabaseDown(reason);
    this.#log.error({ reason }, 'the persistence thread has ended and is started again');
  }

  #logProgress(records: number): void {
    const nowMs = performance.now();
    if (nowMs < this.#progressLoggedMs + PROGRESS_LOG_INTERVAL_MS) return;
    this.#progressLoggedMs = nowMs;
    this.#log.info({ records }, 'reading the database');
  }

  #onPersistence(status: PersistenceStatus): void {
    switch (status.kind) {
      case 'opened':
        this.#status.epoch = status.epoch;
        this.#store = status.store;
        this.#status.onDatabaseUp();
        return;
      case 'recovering':
        this.#status.recovered = status.records;
        this.#logProgress(status.records);
        return;
      case 'recovered':
        this.#status.recovered = status.records;
        this.#clock.ms = Math.max(this.#clock.ms, status.ms + 1);
        this.#bases = status.bases;
        this.#unflushed = undefined;
        this.#onRecovered();
        return;
      case 'down':
        if (this.#status.database !== 'down')
          this.#log.warn({ reason: status.reason }, 'the database is away; writes go on in memory');
        this.#status.onDatabaseDown(status.reason);
        return;
      case 'up':
        this.#status.onDatabaseUp();
        this.#log.info({}, 'the database is back');
        return;
      case 'buried':
        this.#status.buried++;
        this.#log.error({ map: status.map, sqlstate: status.code }, 'a record was put aside');
        return;
      case 'stopped':
        this.#unflushed = status.unflushed;
        return;
      case 'fenced':
        this.#gateway.endSessions(Code.FENCED);
        return this.#fail(status.reason);
      case 'failed':
        this.#fail(status.reason);
    }
  }

  /** Ends a start that is under way, or else the process. The first reason counts. */
  #fail(reason: string): void {
    this.#onEnded(new ServerError(reason));
    if (this.#status.phase === 'ready') this.#onFatal(reason);
  }

  /** Without a bound on disk no stamp may be given out. */
  async #firstClockBound(): Promise<number> {
    try {
      return await this.#clockBound.raise(this.#clock.ms);
    } catch (error) {
      const { message } = error as Error;
      throw new ServerError(`The clock bound cannot be written: ${message}.`);
    }
  }

  async #raiseClockBound(): Promise<void> {
    try {
      this.#clock.boundMs = await this.#clockBound.raise(this.#clock.ms);
    } catch (error) {
      this.#log.error({ reason: (error as Error).message }, 'the clock bound cannot be written');
    }
  }

  /** Waits until workers have answered what they were asked, for a while. */
  async #settleRequests(): Promise<void> {
    const endMs = performance.now() + DRAIN_MS_MAX;
    while (this.#gateway.outstanding > 0 && performance.now() < endMs) await delay(SETTLE_POLL_MS);
  }

  #every(intervalMs: number, action: () => void): void {
    this.#timers.push(setInterval(action, intervalMs));
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ServerError(`--data-dir ${path} is no folder, and none can be made there (${code}).`);
  }
}
