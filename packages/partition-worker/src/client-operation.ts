import {
  Code,
  GROUP_RECORDS_MAX,
  KEY_BYTES_MAX,
  MAP_BYTES_MAX,
  TTL_MS_MAX,
  VALUE_BYTES_MAX,
} from '@tidewire/core';
import { isCleanUtf8, OperationFields } from '@tidewire/core/threads';
import { AckLevel, OperationKind, ValueKind } from '@tidewire/schemas';
import type { RecordName } from './front/record-name.js';
import type { OperationSource } from './front/update-fields.js';
import { PoolError } from './pool-error.js';
import type { Stamp } from './record.js';

export type ClientOperationKind =
  | 'put'
  | 'remove'
  | 'get'
  | 'increment'
  | 'minimum'
  | 'maximum'
  | 'merge'
  | 'append'
  | 'execute';

const KINDS: Readonly<Record<ClientOperationKind, OperationKind>> = {
  put: OperationKind.PUT,
  remove: OperationKind.REMOVE,
  get: OperationKind.GET,
  increment: OperationKind.INCREMENT,
  minimum: OperationKind.MINIMUM,
  maximum: OperationKind.MAXIMUM,
  merge: OperationKind.MERGE,
  append: OperationKind.APPEND,
  execute: OperationKind.EXECUTE,
};

/** An intent on one key. */
export interface ClientOperation extends OperationOptions {
  readonly kind: ClientOperationKind;
  readonly map: string;
  readonly key: string;
  /** What to put, or the argument of an update: anything with a JSON form, or bytes to put as such. */
  readonly value?: unknown;
  /** `execute`: name of the processor. */
  readonly processor?: string;
  /** `execute`: records that the processor is given beside this one: see GroupProcessor. */
  readonly others?: readonly RecordPlace[];
  /** `append`: how many of the last elements stay; default all. */
  readonly keep?: number;
}

/** Where a record is. */
export interface RecordPlace {
  readonly map: string;
  readonly key: string;
}

export interface OperationOptions {
  /** Resolve only once the store has it. */
  readonly safe?: boolean;
  /** Milliseconds after which the record counts as removed. */
  readonly ttlMs?: number;
  /** The write's own time instead of now. */
  readonly stamp?: Stamp;
  /** Only if the key has no value. */
  readonly ifAbsent?: boolean;
  /** Only if the record has this stamp. */
  readonly ifStamp?: Stamp;
}

/** An operation as workers take it: fields, and the bytes they refer to. */
export class OperationDraft extends OperationFields implements OperationSource {
  lowestPending = 0;
  readonly bytes: Uint8Array;
  readonly others: readonly RecordName[];

  /** @throws PoolError for an operation that is not sound. */
  constructor(operation: ClientOperation, processors: readonly string[]) {
    super();
    const { map, key } = nameOf(operation);
    const value = bytesOf(operation);
    if (value.length > VALUE_BYTES_MAX)
      throw new PoolError(Code.TOO_LARGE, `A value has at most ${VALUE_BYTES_MAX} bytes.`);
    this.bytes = new Uint8Array(map.length + key.length + value.length);
    this.bytes.set(map);
    this.bytes.set(key, map.length);
    this.bytes.set(value, map.length + key.length);
    this.mapLength = map.length;
    this.keyOffset = map.length;
    this.keyLength = key.length;
    this.valueOffset = map.length + key.length;
    this.valueLength = value.length;
    this.others = othersOf(operation);
    this.#take(operation, processors);
  }

  #take(operation: ClientOperation, processors: readonly string[]): void {
    const { ifAbsent = false, ifStamp, keep = 0, ttlMs = 0 } = operation;
    if (ifAbsent && ifStamp) throw new PoolError(Code.INVALID, 'Either ifAbsent or ifStamp.');
    if (!Number.isSafeInteger(ttlMs) || ttlMs < 0 || ttlMs > TTL_MS_MAX)
      throw new PoolError(Code.INVALID, `A ttlMs of ${ttlMs} is not 1 to ${TTL_MS_MAX}, whole.`);
    this.kind = KINDS[operation.kind];
    this.valueKind = isBytes(operation) ? ValueKind.BYTES : ValueKind.JSON;
    this.ackLevel = operation.safe ? AckLevel.SAFE : AckLevel.FAST;
    this.stampMs = operation.stamp?.ms ?? 0;
    this.stampCounter = operation.stamp?.counter ?? 0;
    this.ttlMs = ttlMs;
    this.ifAbsent = ifAbsent;
    if (ifStamp !== undefined) this.#demand(ifStamp);
    this.keep = operation.kind === 'execute' ? numberOf(operation, processors) : keep;
  }

  /** The stamp as the fixed64 that it is on the wire. */
  #demand({ ms, counter, node }: Stamp): void {
    this.ifStampLow = ((ms % 0x1_0000) * 0x1_0000 + counter) | 0;
    this.ifStampHigh = Math.floor(ms / 0x1_0000) | 0;
    this.ifNode = node;
  }
}

const encoder = new TextEncoder();
const NO_BYTES: Uint8Array = new Uint8Array(0);

function isBytes({ kind, value }: ClientOperation): boolean {
  return kind === 'put' && value instanceof Uint8Array;
}

function bytesOf(operation: ClientOperation): Uint8Array {
  const { kind, value } = operation;
  if (kind === 'get' || kind === 'remove') return NO_BYTES;
  if (isBytes(operation)) return value as Uint8Array;
  if (kind === 'execute' && value === undefined) return NO_BYTES;
  const text: string | undefined =
    typeof value === 'bigint' ? String(value) : JSON.stringify(value);
  if (text === undefined) throw new PoolError(Code.INVALID, 'This value has no JSON form.');
  return encoder.encode(text);
}

function numberOf({ processor = '' }: ClientOperation, processors: readonly string[]): number {
  const number = processors.indexOf(processor);
  if (number >= 0) return number;
  throw new PoolError(Code.INVALID, `There is no processor "${processor}".`);
}

function othersOf({ kind, others = [] }: ClientOperation): readonly RecordName[] {
  if (others.length > 0 && kind !== 'execute')
    throw new PoolError(Code.INVALID, 'Only a processor is given several records.');
  if (others.length >= GROUP_RECORDS_MAX)
    throw new PoolError(Code.TOO_LARGE, `A group has at most ${GROUP_RECORDS_MAX} records.`);
  return others.map(nameOf);
}

function nameOf({ map, key }: RecordPlace): RecordName {
  return {
    map: bytesOfName('map', map, MAP_BYTES_MAX),
    key: bytesOfName('key', key, KEY_BYTES_MAX),
  };
}

function bytesOfName(name: string, text: string, bytesMax: number): Uint8Array {
  const bytes = encoder.encode(text);
  if (bytes.length === 0) throw new PoolError(Code.INVALID, `A ${name} has a name.`);
  if (bytes.length > bytesMax)
    throw new PoolError(Code.TOO_LARGE, `A ${name} has at most ${bytesMax} bytes.`);
  // A lone surrogate would be stored as another character.
  if (/\p{Surrogate}/u.test(text) || !isCleanUtf8(bytes, 0, bytes.length))
    throw new PoolError(Code.INVALID, 'Names are text without NUL and lone surrogates.');
  return bytes;
}
