import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  Code,
  type Field,
  fieldMessageOf,
  messageOf,
  PROTOCOL_VERSION,
  type Predicate,
  packStamp,
  STAMP_MS_MAX,
  unpackStamp,
} from '@tidewire/core';
import {
  AckLevel,
  type ClientFrame,
  ClientFrameSchema,
  OperationKind,
  RecordNamesSchema,
  type ServerFrame,
  ServerFrameSchema,
  StartFrom,
  ValueKind,
} from '@tidewire/schemas';
import type { CursorFields } from './cursor.js';
import { TidewireError } from './error.js';
import type { Stamp } from './stamp.js';
import type { Guard, RecordPlace, UpdateKind } from './update.js';

/** The wire: our frames to bytes and the server's bytes to frames. The only user of protobuf-es. */

export interface OperationFields {
  readonly requestId: number;
  readonly kind: 'put' | 'remove' | 'get' | UpdateKind;
  readonly map: string;
  readonly key: string;
  readonly value: Uint8Array;
  readonly storedAs: 'json' | 'bytes';
  /** A get has none. */
  readonly stamp: Stamp | undefined;
  /** 0: for ever. */
  readonly ttlMs: number;
  readonly safe: boolean;
  /** A put that the server removes once this client has gone. */
  readonly whileConnected?: boolean | undefined;
  /** Makes a put or remove an update. */
  readonly guard?: Guard | undefined;
  /** `execute`: name of the processor. */
  readonly processor?: string;
  /** `execute`: records that the processor is given beside this one. */
  readonly others?: readonly RecordPlace[] | undefined;
}

/** An operation as it is sent. */
export interface SentOperation extends OperationFields {
  /** Memory of the server under which it was sent first; 0: it was not sent yet. */
  readonly firstMemory: bigint;
}

export interface SubscribeFields {
  readonly subscriptionId: number;
  readonly map: string;
  /** Empty: the whole map. */
  readonly key: string;
  readonly where: Predicate | undefined;
  readonly start: 'now' | 'snapshot' | 'resume';
  /** 0: none. */
  readonly knownSequence: number;
  readonly withOld: boolean;
  /** 0: no bound. */
  readonly maxHz: number;
}

export interface QueryFields {
  readonly map: string;
  readonly where: Predicate | undefined;
  readonly orderBy: Field | undefined;
  readonly descending: boolean;
  /** 0: all of them. */
  readonly limit: number;
  readonly countOnly: boolean;
}

export type ServerBody = Exclude<ServerFrame['body'], { case: undefined }>;

export interface ReceivedFrame {
  readonly clock: bigint;
  readonly body: ServerBody;
}

/** More than an operation's fields and framing take beside map, key and value. */
export const OPERATION_OVERHEAD_BYTES = 96;

const KINDS = {
  put: OperationKind.PUT,
  remove: OperationKind.REMOVE,
  get: OperationKind.GET,
  increment: OperationKind.INCREMENT,
  minimum: OperationKind.MINIMUM,
  maximum: OperationKind.MAXIMUM,
  merge: OperationKind.MERGE,
  append: OperationKind.APPEND,
  execute: OperationKind.EXECUTE,
} as const;

const STARTS = {
  now: StartFrom.NOW,
  snapshot: StartFrom.SNAPSHOT,
  resume: StartFrom.RESUME,
} as const;

/** Hello carries no clock: the client's runs only from Welcome on. */
export function encodeHello(hello: {
  node: number;
  token: string;
  resumeToken: Uint8Array;
  cursor: CursorFields | undefined;
}): Uint8Array<ArrayBuffer> {
  const value = {
    protocolVersion: PROTOCOL_VERSION,
    node: hello.node,
    token: hello.token,
    resumeToken: hello.resumeToken,
    ...(hello.cursor && { cursor: cursorMessage(hello.cursor) }),
  };
  return encode(0n, { case: 'hello', value });
}

export function encodeOperations(
  clock: bigint,
  batch: readonly SentOperation[],
  lowestPending: number,
): Uint8Array<ArrayBuffer> {
  const value = { operations: batch.map(operationMessage), lowestPending };
  return encode(clock, { case: 'operations', value });
}

/** It is executed on what stands, so that sending it again is not harmless by its stamp. */
function isUpdate({ kind, guard }: OperationFields): boolean {
  return KINDS[kind] >= OperationKind.INCREMENT || guard !== undefined;
}

export function encodeSubscribe(
  clock: bigint,
  { where, start, knownSequence, ...fields }: SubscribeFields,
): Uint8Array<ArrayBuffer> {
  const { subscriptionId, map, key, withOld, maxHz } = fields;
  const value = {
    subscriptionId,
    map,
    key,
    withOld,
    maxHz,
    ...(where && { where: messageOf(where) }),
    start: STARTS[start],
    knownSequence: BigInt(knownSequence),
  };
  return encode(clock, { case: 'subscribe', value });
}

export function encodeQuery(
  clock: bigint,
  requestId: number,
  { where, orderBy, ...fields }: QueryFields,
): Uint8Array<ArrayBuffer> {
  const value = {
    ...fields,
    requestId,
    ...(where && { where: messageOf(where) }),
    ...(orderBy && { orderBy: fieldMessageOf(orderBy) }),
  };
  return encode(clock, { case: 'query', value });
}

export function encodeCancelQuery(clock: bigint, requestId: number): Uint8Array<ArrayBuffer> {
  return encode(clock, { case: 'cancelQuery', value: { requestId } });
}

export function encodeUnsubscribe(clock: bigint, subscriptionId: number): Uint8Array<ArrayBuffer> {
  return encode(clock, { case: 'unsubscribe', value: { subscriptionId } });
}

export function encodeRefresh(clock: bigint, token: string): Uint8Array<ArrayBuffer> {
  return encode(clock, { case: 'refresh', value: { token } });
}

export function encodeAskDurable(
  clock: bigint,
  partitions: readonly number[],
): Uint8Array<ArrayBuffer> {
  return encode(clock, { case: 'askDurable', value: { partitions: [...partitions] } });
}

export function encodePing(clock: bigint): Uint8Array<ArrayBuffer> {
  return encode(clock, { case: 'ping', value: {} });
}

/** @throws TidewireError INVALID unless `data` is one whole, known frame with a sound clock. */
export function decodeServerFrame(data: unknown): ReceivedFrame {
  if (!(data instanceof ArrayBuffer)) throw badFrame('is no binary message');
  const frame = parse(new Uint8Array(data));
  if (frame.body.case === undefined) throw badFrame('has no known body');
  if (unpackStamp(frame.clock).ms > STAMP_MS_MAX) throw badFrame('has an impossible clock');
  return { clock: frame.clock, body: frame.body };
}

/** A bad frame, by what is wrong with it. */
export function badFrame(what: string): TidewireError {
  return new TidewireError(Code.INVALID, `A frame from the server ${what}.`);
}

type BodyInit = NonNullable<Parameters<typeof create<typeof ClientFrameSchema>>[1]>['body'];

function encode(clock: bigint, body: NonNullable<BodyInit>): Uint8Array<ArrayBuffer> {
  const frame: ClientFrame = create(ClientFrameSchema, { clock, body });
  return toBinary(ClientFrameSchema, frame);
}

function parse(bytes: Uint8Array): ServerFrame {
  try {
    return fromBinary(ServerFrameSchema, bytes);
  } catch {
    throw badFrame('cannot be decoded');
  }
}

function cursorMessage({ store, epoch, delivered, seen }: CursorFields) {
  return { store, epoch, delivered: sequenceMessages(delivered), seen: sequenceMessages(seen) };
}

function sequenceMessages(sequences: ReadonlyMap<number, number>) {
  return [...sequences].map(([partition, sequence]) => ({ partition, sequence: BigInt(sequence) }));
}

function operationMessage(fields: SentOperation) {
  const { guard } = fields;
  const records = fields.others?.map(({ map, key }) => ({ map, key })) ?? [];
  return {
    requestId: fields.requestId,
    kind: KINDS[fields.kind],
    map: fields.map,
    key: fields.key,
    value: fields.value,
    valueKind: fields.storedAs === 'bytes' ? ValueKind.BYTES : ValueKind.JSON,
    stamp: fields.stamp ? packStamp(fields.stamp.ms, fields.stamp.counter) : 0n,
    node: fields.stamp?.node ?? 0,
    ttlMs: BigInt(fields.ttlMs),
    ackLevel: fields.safe ? AckLevel.SAFE : AckLevel.FAST,
    whileConnected: fields.whileConnected ?? false,
    ifAbsent: guard?.ifAbsent ?? false,
    ifStamp: guard?.ifStamp ? packStamp(guard.ifStamp.ms, guard.ifStamp.counter) : 0n,
    ifNode: guard?.ifStamp?.node ?? 0,
    keep: guard?.keep ?? 0,
    processor: fields.processor ?? '',
    others: toBinary(RecordNamesSchema, create(RecordNamesSchema, { records })),
    firstMemory: isUpdate(fields) ? fields.firstMemory : 0n,
  };
}
