import {
  Code,
  FRAME_BYTES_MAX,
  type HybridLogicalClock,
  RETRY_AFTER_CROWD_MS,
  RETRY_AFTER_MS,
  Receipt,
} from '@tidewire/core';
import {
  ClientBody,
  FRAME_FAULT_SENTENCES,
  FrameFault,
  FrameReader,
  MapTable,
} from '@tidewire/core/threads';
import {
  forgetSessionRecord,
  OutboundReader,
  PartitionService,
  WorkerRequests,
} from '@tidewire/partition-worker/front';
import { Audit } from './access/audit.js';
import { type AccessRules, Authentication } from './access/authentication.js';
import { OperationAccess, rightFor } from './access/operation-access.js';
import { RuleRegister } from './access/rule-register.js';
import { ControlFrames } from './control-frames.js';
import { ControlIntake } from './control-intake.js';
import { DEFAULT_LIMITS, type GatewayLimits } from './gateway-limits.js';
import type { GatewayOptions } from './gateway-options.js';
import { AnswerBatch } from './operation/answer-batch.js';
import { OperationIntake } from './operation/operation-intake.js';
import type { OperationRefusal } from './operation/operation-refusal.js';
import { outboundHandlers } from './outbound-handlers.js';
import { QueryDesk } from './query/query-desk.js';
import type { Refusal } from './refusal.js';
import { ConnectionLimits } from './session/connection-limits.js';
import { ConnectionManager } from './session/connection-manager.js';
import { Farewell } from './session/farewell.js';
import { Presence } from './session/presence.js';
import { Principals } from './session/principal.js';
import { ResumeTokens } from './session/resume-tokens.js';
import type { Session } from './session/session.js';
import { NO_LOG, type SessionLog } from './session/session-log.js';
import { SessionRate } from './session/session-rate.js';
import { StreamDesk } from './stream/stream-desk.js';
import type { ServerStart } from './subscription/resume.js';
import {
  type SubscriptionCounts,
  SubscriptionService,
} from './subscription/subscription-service.js';
import type { MapReport } from './telemetry/map-report.js';
import { Telemetry } from './telemetry/telemetry.js';
import {
  type Connection,
  type HttpAnswer,
  Sent,
  type TransportHandlers,
  type UpgradeRefusal,
} from './transport/transport.js';
import type { TurnTime } from './turn-time.js';

/** How often a connection is looked at that had not read what was sent to it. */
const WATCH_MS = 2;
const FRAME_TOO_LONG = `A frame has ${FRAME_BYTES_MAX} bytes at most.`;
const FLOODS = 'The connection was told to wait and went on sending.';
const NOT_OPEN: UpgradeRefusal = {
  sentence: 'The server takes no connection now; try again.',
  retryAfterMs: RETRY_AFTER_CROWD_MS,
};

/**
 * The gateway: takes frames from connections, sends operations to their owners and brings answers
 * and events back. It holds the one clock of the process. An agent: `doWork` is one bounded turn.
 */
export class Gateway implements TransportHandlers<Session> {
  readonly telemetry: Telemetry;
  readonly #clock: HybridLogicalClock;
  readonly #time: TurnTime;
  readonly #http: GatewayOptions['http'];
  readonly #onWork: () => void;
  readonly #onTaken: (operations: number) => void;
  readonly #log: SessionLog;
  readonly #reader: FrameReader = new FrameReader();
  readonly #audit: Audit;
  readonly #access: OperationAccess;
  readonly #connections: ConnectionManager;
  readonly #limits: GatewayLimits;
  readonly #admission: ConnectionLimits;
  readonly #partitions: PartitionService;
  readonly #requests: WorkerRequests;
  readonly #answers: AnswerBatch;
  readonly #subscriptions: SubscriptionService;
  readonly #queryStreams: StreamDesk;
  readonly #queries: QueryDesk;
  readonly #authentication: Authentication;
  readonly #tokens: ResumeTokens = new ResumeTokens();
  readonly #principals: Principals = new Principals();
  readonly #presence: Presence;
  readonly #farewell: Farewell;
  readonly #intake: OperationIntake;
  readonly #control: ControlFrames;
  readonly #outbound: readonly OutboundReader[];
  readonly #controlIntake: ControlIntake;
  /** Recovery has ended. */
  #isStarted = false;
  #isOpen = false;

  constructor(options: GatewayOptions) {
    const { clock, memory, limits = DEFAULT_LIMITS } = options;
    this.#clock = clock;
    this.#limits = limits;
    this.#admission = new ConnectionLimits(limits);
    this.#time = options.time;
    this.#http = options.http;
    this.#onWork = options.onWork;
    this.#onTaken = options.onTaken;
    this.#log = options.log ?? NO_LOG;
    const mapTable = new MapTable(memory.mapTable);
    this.#control = new ControlFrames({ ...options, limits });
    this.#partitions = new PartitionService(memory, mapTable, options.mapTtls);
    this.#requests = new WorkerRequests(this.#partitions.owners);
    const elapsedMs = (): number => this.#time.elapsedMs();
    const { owners } = this.#partitions;
    this.telemetry = new Telemetry({
      memory,
      mapTable,
      owners,
      requests: this.#requests,
      elapsedMs,
    });
    const { counters } = this.telemetry;
    this.#farewell = new Farewell({
      control: this.#control,
      admission: this.#admission,
      counters,
      log: this.#log,
    });
    this.#answers = new AnswerBatch({
      clock,
      counters,
      onDropped: (session) => this.onDropped(session),
    });
    const rules = new RuleRegister(this.#requests);
    this.#audit = new Audit({ elapsedMs, tell: options.onDenied });
    this.#access = new OperationAccess({ rules, audit: this.#audit });
    this.#connections = new ConnectionManager((session) => this.#access.release(session));
    let streams = 0;
    const nextStream = (): number => (streams = (streams + 1) | 0);
    const parts = {
      mapTable,
      limits,
      elapsedMs,
      partitions: this.#partitions,
      requests: this.#requests,
      rules,
      audit: this.#audit,
      control: this.#control,
      send: (session: Session, bytes: Uint8Array) => this.#send(session, bytes),
    };
    this.#subscriptions = new SubscriptionService({
      ...options,
      ...parts,
      sessions: () => this.#connections.all(),
      nextStream,
      beforePublish: () => this.#answers.flush(),
    });
    this.#queryStreams = new StreamDesk({ requests: this.#requests, nextNumber: nextStream });
    this.#queries = new QueryDesk({
      ...parts,
      streams: this.#queryStreams,
      clock,
      time: options.time,
    });
    this.#authentication = new Authentication(() => this.#time.nowMs);
    this.#controlIntake = new ControlIntake({
      authentication: this.#authentication,
      ...parts,
      subscriptions: this.#subscriptions,
      queries: this.#queries,
      random: options.random,
      resume: (session, token) => this.#resume(session, token),
      onGreeted: (session) => {
        this.#admission.greet(session.client);
        this.#principals.enter(session);
        session.connection.greet();
      },
      refuse: (session, refusal) => this.#refuseControl(session, refusal),
    });
    this.#presence = new Presence(parts);
    this.#intake = new OperationIntake({
      reader: this.#reader,
      clock,
      node: options.node,
      partitions: this.#partitions,
      answers: this.#answers,
      access: this.#access,
      presence: this.#presence,
      limits,
      elapsedMs,
      telemetry: this.telemetry,
    });
    const handlers = outboundHandlers({
      connections: this.#connections,
      answers: this.#answers,
      partitions: this.#partitions,
      subscriptions: this.#subscriptions,
      queryStreams: this.#queryStreams,
      census: this.telemetry.census,
      onForbidden: (session, mapId, kind) =>
        this.#audit.onDenied(session, mapTable.nameOf(mapId), rightFor(kind)),
    });
    this.#outbound = memory.workers.map((worker) => new OutboundReader(worker, handlers));
  }

  get connections(): number {
    return this.#admission.connections;
  }

  get admission(): Pick<ConnectionLimits, 'connections' | 'strangers' | 'turnedAway'> {
    return this.#admission;
  }

  /** What there is of every map, counted now. */
  mapReport(): Promise<MapReport> {
    const report = this.telemetry.mapReport(this.#subscriptions);
    this.#onWork();
    return report;
  }

  /** Sessions with a query under way. */
  get querying(): number {
    return this.#queryStreams.sessions;
  }

  get subscriptionCounts(): SubscriptionCounts {
    return this.#subscriptions.counts;
  }

  /** Operations that workers have not answered yet. */
  get outstanding(): number {
    return this.#intake.outstanding;
  }

  /** SAFE results that wait for the database. */
  get waiting(): number {
    return this.#outbound.reduce((sum, reader) => sum + reader.pendingCount, 0);
  }

  /** How full each worker's outbound ring is, as a part of the whole. */
  get outboundOccupancy(): readonly number[] {
    return this.#outbound.map(({ occupancy }) => occupancy);
  }

  /** Lets clients execute processors, named in the order of their numbers. */
  allowProcessors(names: readonly string[]): void {
    this.#intake.allowProcessors(names);
  }

  /** Recovery has ended: lets connections in. Without rules everybody may do everything. */
  open(start: ServerStart, rules?: AccessRules): void {
    this.#authentication.rules = rules;
    this.#controlIntake.open(start);
    this.#tokens.open(start.epoch);
    this.#partitions.open();
    this.#isStarted = true;
    this.#isOpen = true;
  }

  /** The server stops: no connection and no operation is taken any more. */
  drain(): void {
    this.#isOpen = false;
    this.#intake.isDraining = true;
    this.#queries.isDraining = true;
  }

  /** Closes every session and says why. */
  endSessions(code: Code): void {
    for (const session of this.#connections.all())
      if (!session.isClosing) this.#farewell.refuse(session, code);
  }

  /** A worker has been started for the `start`-th time. Call before it runs, the first time too. */
  onWorkerStart(worker: number, start: number): void {
    this.#subscriptions.onWorkerStart(worker, start);
    this.#queryStreams.onWorkerStart(worker);
    this.telemetry.census.onWorkerStart(worker);
    this.#onWork();
  }

  /** One turn: requests out, answers and events in. Returns the work done; `flush` sends it. */
  doWork(): number {
    this.#time.refresh();
    const elapsedMs = this.#time.elapsedMs();
    let work = this.#requests.sendOwed() + this.#subscriptions.introduce();
    work += this.#partitions.publish();
    this.telemetry.stages.look(elapsedMs);
    for (const reader of this.#outbound) {
      const answered = reader.drain(elapsedMs);
      this.#intake.outstanding -= answered;
      work += answered + reader.releasePending(elapsedMs);
    }
    if (!this.#isStarted) return work;
    work += this.#presence.doWork(elapsedMs);
    return work + this.#subscriptions.doWork() + this.#queryStreams.doWork();
  }

  /** Sends the answers and events of the turns since the last call. */
  flush(): void {
    if (this.telemetry.stages.isSendingDue())
      this.telemetry.stages.time(this.telemetry.stages.send, () => this.#sendAll());
    else this.#sendAll();
  }

  hasWork(): boolean {
    return this.#outbound.some((reader) => reader.hasWork());
  }

  /** Milliseconds until a turn may be due that nobody asks for. */
  msLeft(): number {
    const isWatching = this.#subscriptions.isWatching || this.#queryStreams.isWatching;
    return Math.min(this.#subscriptions.msLeft(), isWatching ? WATCH_MS : Number.POSITIVE_INFINITY);
  }

  /** Closes sessions without Hello in time or with a token that ended; call several times a second. */
  checkDeadlines(): void {
    for (const session of this.#connections.takeOverdue(this.#time.elapsedMs()))
      this.#farewell.refuse(
        session,
        Code.UNAUTHENTICATED,
        'No valid Hello came in time.',
        RETRY_AFTER_MS,
      );
    this.#admission.sweep(this.#time.elapsedMs());
    this.#principals.sweep();
    for (const session of this.#authentication.expired(this.#connections.all()))
      this.#farewell.refuse(session, Code.UNAUTHENTICATED, 'The token has expired.');
    this.#forgetTokens();
  }

  onAccept(address: string): boolean {
    return this.#admission.accept(address);
  }

  onEnd(address: string | undefined): void {
    this.#admission.end(address);
  }

  onUpgrade(address: string): UpgradeRefusal | undefined {
    return this.#isOpen ? this.#admission.refusal(address) : NOT_OPEN;
  }

  onOpen(connection: Connection, address: string): Session {
    const elapsedMs = this.#time.elapsedMs();
    const client = this.#admission.open(address);
    const rate = SessionRate.of(this.#limits, elapsedMs);
    const session = this.#connections.open(connection, { client, rate }, elapsedMs);
    this.#log.opened(session.serial, client.address);
    return session;
  }

  onMessage(session: Session, bytes: Uint8Array): void {
    if (session.isClosing) return;
    this.telemetry.counters.frames++;
    if (this.telemetry.stages.isFrameDue())
      this.telemetry.stages.time(this.telemetry.stages.intake, () => this.#take(session, bytes));
    else this.#take(session, bytes);
    this.#onTaken(this.#reader.operationCount);
  }

  onText(session: Session): void {
    if (!session.isClosing)
      this.#farewell.expel(session, Code.INVALID, 'A frame is a binary message.');
  }

  onDropped(session: Session): void {
    if (session.isClosing) return;
    this.#farewell.drop(session);
    this.#subscriptions.forget(session);
    this.#queries.forget(session);
  }

  onClose(session: Session): void {
    if (!session.isClosed) this.#admission.close(session.client, session.node === 0);
    this.#log.closed(session.serial);
    session.isClosing = true;
    this.#subscriptions.forget(session);
    this.#queries.forget(session);
    this.#connections.close(session);
    this.#principals.leave(session);
    this.#tokens.release(session, this.#time.elapsedMs());
    this.#presence.onClose(session, this.#time.elapsedMs());
    this.#onWork();
  }

  onHttp(path: string): HttpAnswer {
    return this.#http(path);
  }

  #take(session: Session, bytes: Uint8Array): void {
    if (bytes.length > FRAME_BYTES_MAX) {
      this.#farewell.expel(session, Code.TOO_LARGE, FRAME_TOO_LONG);
      return;
    }
    const over = session.rate?.takeFrame(bytes.length, this.#time.elapsedMs());
    if (session.rate !== undefined && this.#endsFlood(session, session.rate)) return;
    const nowMs = this.#time.refresh();
    const fault = this.#reader.open(bytes);
    if (fault !== FrameFault.NONE) {
      const isLarge = fault === FrameFault.TOO_MANY_OPERATIONS;
      const code = isLarge ? Code.TOO_LARGE : Code.INVALID;
      this.#farewell.expel(session, code, FRAME_FAULT_SENTENCES[fault]);
      return;
    }
    if (session.node !== 0) this.#mergeClock(session);
    else if (this.#reader.body !== ClientBody.HELLO) {
      this.#farewell.expel(session, Code.UNAUTHENTICATED);
      return;
    }
    if (this.#reader.body === ClientBody.OPERATIONS) this.#intake.take(session, bytes, nowMs, over);
    else this.#onControl(session, bytes, over);
  }

  #sendAll(): void {
    if (this.#clock.ms < this.#time.nowMs) this.#clock.tick();
    this.#subscriptions.flush();
    this.#answers.flush();
  }

  /**
   * A clock too far ahead moves nothing; the sender is told the server's time. That of a stranger moves
   * nothing either.
   */
  #mergeClock(session: Session): void {
    const { clockMs, clockCounter } = this.#reader;
    if (clockMs === 0) return;
    if (this.#clock.receive(clockMs, clockCounter) === Receipt.DRIFT)
      this.#send(session, this.#control.error(Code.CLOCK_DRIFT));
  }

  #onControl(session: Session, bytes: Uint8Array, over?: OperationRefusal): void {
    const refusal = this.#controlIntake.take(session, bytes, over);
    if (refusal !== undefined) this.#refuseControl(session, refusal);
  }

  #refuseControl(session: Session, { code, detail, retryAfterMs }: Refusal): void {
    if (retryAfterMs > 0) this.#farewell.refuse(session, code, detail);
    else this.#farewell.expel(session, code, detail);
  }

  /** Closes a session that was told to wait and sends on. */
  #endsFlood(session: Session, rate: SessionRate): boolean {
    const waitMs = rate.floodMs(this.#time.elapsedMs());
    if (waitMs > 0) this.#farewell.expel(session, Code.OVERLOADED, FLOODS, waitMs);
    return waitMs > 0;
  }

  /** What the earlier connection still sends is not taken: it may have been sent again. */
  #resume(session: Session, token: Uint8Array): boolean {
    const earlier = this.#tokens.adopt(session, token);
    this.#forgetTokens();
    if (earlier !== undefined && !earlier.isClosing)
      this.#farewell.refuse(
        earlier,
        Code.UNAVAILABLE,
        'A later connection continues this session.',
      );
    return session.token.length > 0 && this.#presence.adopt(session, earlier);
  }

  #forgetTokens(): void {
    for (const token of this.#tokens.takeExpired(this.#time.elapsedMs()))
      for (let worker = 0; worker < this.#requests.workers; worker++)
        this.#requests.send(worker, forgetSessionRecord(token));
  }

  #send(session: Session, bytes: Uint8Array): void {
    if (session.isClosing) return;
    if (session.connection.send(bytes) === Sent.DROPPED) this.onDropped(session);
  }
}
