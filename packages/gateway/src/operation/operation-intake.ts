import {
  Code,
  GROUP_RECORDS_MAX,
  type HybridLogicalClock,
  KEY_BYTES_MAX,
  MAP_BYTES_MAX,
  NODE_MAX,
  Receipt,
  SESSION_SOFT_BYTES,
  TTL_MS_MAX,
} from '@tidewire/core';
import { type FrameReader, isCleanUtf8 } from '@tidewire/core/threads';
import {
  areUpdateFieldsSound,
  type OperationTime,
  type PartitionService,
  type RecordName,
  ROUTED,
} from '@tidewire/partition-worker/front';
import { AckLevel, OperationKind, ValueKind } from '@tidewire/schemas';
import type { OperationAccess } from '../access/operation-access.js';
import { recordNamesIn } from '../control-frames.js';
import type { GatewayLimits } from '../gateway-limits.js';
import type { Presence } from '../session/presence.js';
import type { Session } from '../session/session.js';
import { nameFault } from '../subscription/subscribe-check.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { AnswerBatch } from './answer-batch.js';
import {
  CLOCK_AT_BOUND,
  KEY_TOO_LONG,
  MAP_TOO_LONG,
  MAPS_TOO_MANY,
  type OperationRefusal,
  SEVERAL_PARTITIONS,
  STOPPING,
  tooManyInFlight,
  UNREAD,
  valueTooLong,
  WORKER_BUSY,
} from './operation-refusal.js';
import { ProcessorNames } from './processor-names.js';

const NO_OTHERS: readonly RecordName[] = [];

/**
 * Takes the operations of a frame: checks each, stamps it if it has no stamp, and sends it to its
 * owner, or answers it at once with a refusal and does nothing else.
 */
export class OperationIntake {
  readonly #reader: FrameReader;
  readonly #clock: HybridLogicalClock;
  readonly #node: number;
  readonly #partitions: PartitionService;
  readonly #answers: AnswerBatch;
  readonly #access: OperationAccess;
  readonly #presence: Presence;
  readonly #limits: Pick<GatewayLimits, 'inFlight' | 'valueBytes'>;
  readonly #windowFull: OperationRefusal;
  readonly #valueTooLong: OperationRefusal;
  readonly #elapsedMs: () => number;
  readonly #telemetry: Telemetry;
  readonly #time: OperationTime = { ms: 0, counter: 0, node: 0, nowMs: 0 };
  #processors: ProcessorNames = new ProcessorNames();
  /** Of the operation that is taken. */
  #others: readonly RecordName[] = NO_OTHERS;
  /** Operations sent to workers and not answered by them. */
  outstanding = 0;
  /** The server stops: every operation is refused. */
  isDraining = false;

  /** `node`: of the stamps that the server gives. */
  constructor(options: {
    reader: FrameReader;
    clock: HybridLogicalClock;
    node: number;
    partitions: PartitionService;
    answers: AnswerBatch;
    access: OperationAccess;
    presence: Presence;
    limits: Pick<GatewayLimits, 'inFlight' | 'valueBytes'>;
    elapsedMs: () => number;
    telemetry: Telemetry;
  }) {
    this.#reader = options.reader;
    this.#clock = options.clock;
    this.#node = options.node;
    this.#partitions = options.partitions;
    this.#answers = options.answers;
    this.#access = options.access;
    this.#presence = options.presence;
    this.#limits = options.limits;
    this.#windowFull = tooManyInFlight(options.limits.inFlight);
    this.#valueTooLong = valueTooLong(options.limits.valueBytes);
    this.#elapsedMs = options.elapsedMs;
    this.#telemetry = options.telemetry;
  }

  /** Lets clients execute these, named in the order of their numbers. */
  allowProcessors(names: readonly string[]): void {
    this.#processors = new ProcessorNames(names);
  }

  /** Takes all operations of the frame that the reader has opened; `over`: says why none is done. */
  take(session: Session, bytes: Uint8Array, nowMs: number, over?: OperationRefusal): void {
    const reader = this.#reader;
    const elapsedMs = session.rate === undefined ? 0 : this.#elapsedMs();
    this.#time.nowMs = nowMs;
    this.#access.clear();
    const ofAll = this.#refusalOfAll(session, over);
    for (let i = 0; i < reader.operationCount; i++) {
      const refusal = ofAll ?? this.#refusal(session, elapsedMs);
      if (refusal !== undefined) return this.#refuseFrom(session, i, refusal, elapsedMs);
      reader.nextOperation();
      const fault = this.#takeOne(session, bytes);
      if (fault !== ROUTED) this.#answers.say(session, reader.requestId, fault);
    }
  }

  /** Why nothing of the frame is done. */
  #refusalOfAll(session: Session, over?: OperationRefusal): OperationRefusal | undefined {
    if (session.connection.bufferedBytes() > SESSION_SOFT_BYTES) return UNREAD;
    return over ?? (this.isDraining ? STOPPING : undefined);
  }

  /** Why the next operation is not done, nor those behind it in the frame: none of them is looked at. */
  #refusal(session: Session, elapsedMs: number): OperationRefusal | undefined {
    if (session.inFlight >= this.#limits.inFlight) return this.#windowFull;
    return session.rate?.takeOperation(elapsedMs);
  }

  #refuseFrom(session: Session, first: number, refusal: OperationRefusal, elapsedMs: number): void {
    const { requestIds, operationCount } = this.#reader;
    session.rate?.onRefused(operationCount - first, elapsedMs);
    for (let i = first; i < operationCount; i++) this.#answers.say(session, requestIds[i], refusal);
  }

  #takeOne(session: Session, bytes: Uint8Array): Code | OperationRefusal {
    const fault =
      this.#check(bytes) ||
      this.#permit(session, bytes) ||
      this.#name(bytes) || // whoever may execute nothing is not told which processors there are
      this.#nameOthers(session, bytes) ||
      this.#presence.check(session, this.#reader, bytes) ||
      this.#stamp(session);
    if (fault !== Code.UNSPECIFIED) return fault;
    const code = this.#partitions.route(
      this.#reader,
      bytes,
      session,
      this.#time,
      this.#access,
      this.#others,
    );
    if (code !== ROUTED) return explained(code);
    session.inFlight++;
    this.outstanding++;
    this.#telemetry.counters.operations++;
    if (this.#telemetry.hotKeys.isDue()) this.#meet(bytes);
    this.#presence.onRouted(session, this.#reader, bytes, this.#time);
    return ROUTED;
  }

  #check(bytes: Uint8Array): Code | OperationRefusal {
    const reader = this.#reader;
    this.#others = NO_OTHERS;
    if (reader.mapLength > MAP_BYTES_MAX) return MAP_TOO_LONG;
    if (reader.keyLength > KEY_BYTES_MAX) return KEY_TOO_LONG;
    if (reader.valueLength > this.#limits.valueBytes) return this.#valueTooLong;
    if (reader.mapLength === 0 || reader.keyLength === 0) return Code.INVALID;
    if (reader.kind < OperationKind.PUT || reader.kind > OperationKind.EXECUTE) return Code.INVALID;
    if (!hasValue(reader.kind) && (reader.valueLength > 0 || reader.ttlMs > 0)) return Code.INVALID;
    if (!areUpdateFieldsSound(reader)) return Code.INVALID;
    const hasProcessor = reader.processorLength > 0 || reader.othersLength > 0;
    if (reader.kind !== OperationKind.EXECUTE && hasProcessor) return Code.INVALID;
    if (reader.valueKind < 0 || reader.valueKind > ValueKind.BYTES) return Code.INVALID;
    if (reader.ackLevel < 0 || reader.ackLevel > AckLevel.SAFE) return Code.INVALID;
    if (reader.node > NODE_MAX || reader.ttlMs > TTL_MS_MAX) return Code.INVALID;
    if (!isCleanUtf8(bytes, reader.keyOffset, reader.keyLength)) return Code.INVALID;
    if (!isCleanUtf8(bytes, reader.mapOffset, reader.mapLength)) return Code.INVALID;
    return Code.UNSPECIFIED;
  }

  #meet(bytes: Uint8Array): void {
    const { mapOffset, mapLength, keyOffset, keyLength } = this.#reader;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#telemetry.hotKeys.meet(
      text.toString('utf8', mapOffset, mapOffset + mapLength),
      text.toString('utf8', keyOffset, keyOffset + keyLength),
    );
  }

  #permit(session: Session, bytes: Uint8Array): Code | OperationRefusal {
    const { authority } = session;
    if (authority === undefined) return Code.UNSPECIFIED;
    return this.#access.decide(session, authority, this.#reader, bytes);
  }

  /** Turns the processor's name, if there is one, into its number. */
  #name(bytes: Uint8Array): Code | OperationRefusal {
    if (this.#reader.kind !== OperationKind.EXECUTE) return Code.UNSPECIFIED;
    const { processorOffset, processorLength } = this.#reader;
    const name = bytes.subarray(processorOffset, processorOffset + processorLength);
    const number = this.#processors.numberOf(Buffer.from(name).toString());
    if (typeof number !== 'number') return number;
    this.#reader.keep = number;
    return Code.UNSPECIFIED;
  }

  /** Reads the further records of a group. */
  #nameOthers(session: Session, bytes: Uint8Array): Code | OperationRefusal {
    const { othersOffset, othersLength } = this.#reader;
    if (othersLength === 0) return Code.UNSPECIFIED;
    const names = recordNamesIn(bytes.subarray(othersOffset, othersOffset + othersLength));
    if (names === undefined || names.some(({ key }) => key.length === 0)) return Code.INVALID;
    if (names.length >= GROUP_RECORDS_MAX) return Code.TOO_LARGE;
    this.#others = names;
    for (const { map, key } of names) {
      const fault = nameFault(map, key);
      if (fault !== undefined) return fault.code;
    }
    const { authority } = session;
    return authority === undefined
      ? Code.UNSPECIFIED
      : this.#access.decideOthers(session, authority, names);
  }

  /** Stamps an operation that has no stamp; merges the stamp of one that has. */
  #stamp(session: Session): Code | OperationRefusal {
    const { stampMs, stampCounter, node, kind, whileConnected } = this.#reader;
    const time = this.#time;
    if (stampMs === 0 && stampCounter === 0) {
      if (kind !== OperationKind.GET && !this.#clock.tick()) return CLOCK_AT_BOUND;
      time.ms = this.#clock.ms;
      time.counter = this.#clock.counter;
      time.node = whileConnected ? session.node : this.#node; // whose it is, is told by the node
      return Code.UNSPECIFIED;
    }
    const receipt = this.#clock.receive(stampMs, stampCounter);
    if (receipt === Receipt.DRIFT) return Code.CLOCK_DRIFT;
    if (receipt === Receipt.BOUND) return CLOCK_AT_BOUND;
    time.ms = stampMs;
    time.counter = stampCounter;
    time.node = node === 0 ? session.node : node;
    return Code.UNSPECIFIED;
  }
}

function hasValue(kind: number): boolean {
  return kind !== OperationKind.REMOVE && kind !== OperationKind.GET;
}

/** What routing says, with a reason where there is one. */
function explained(code: Code): Code | OperationRefusal {
  if (code === Code.OVERLOADED) return WORKER_BUSY;
  if (code === Code.INVALID) return SEVERAL_PARTITIONS;
  return code === Code.TOO_LARGE ? MAPS_TOO_MANY : code;
}
