import { create, toBinary } from '@bufbuild/protobuf';
import {
  AckLevel,
  ClientFrameSchema,
  OperationKind,
  OperationSchema,
  ValueKind,
} from '@tidewire/schemas';
import { maskedMessage } from './websocket.js';

export const MAP = 'bench';
export const KEY_BYTES = 16;

/** Request ids lie in [2^21, 2^28): all take four bytes, so that they can be overwritten. */
export const REQUEST_ID_BASE: number = 1 << 21;

// Each stands where an operation's own number, stamp and key are written later.
const REQUEST_ID_MARK = 0x0badcab;
const STAMP_MARK = 0x7172_7374_7576_7778n;
const KEY_MARK = 'key:ABABABABABAB';
const WRITE_MARK = 'CDCDCDCD';
/** Seven digits each: see `predicate-load.ts`. */
const NUMBER_MARKS = { n: 1_717_171, a: 1_818_181, b: 1_919_191 } as const;

export interface OperationShape {
  readonly isGet: boolean;
  readonly valueBytes: number;
  readonly stamped: boolean;
  readonly safe: boolean;
  readonly operationsPerFrame: number;
  /** 0: values carry no numbers. */
  readonly predicates: number;
}

/** A whole WebSocket message with operations, and where its changing bytes are. */
export interface OperationTemplate {
  readonly bytes: Uint8Array;
  readonly clockAt: number;
  readonly operationsAt: number;
  readonly operationBytes: number;
  /** The rest are offsets within an operation; −1: it has no such field. */
  readonly requestIdAt: number;
  readonly keyAt: number;
  readonly stampAt: number;
  readonly writeAt: number;
  /** Of seven digits that number the key, and of it modulo two numbers. */
  readonly numbersAt: readonly [n: number, a: number, b: number] | undefined;
}

/** A JSON value of exactly `bytes` bytes, in which eight hexadecimal digits number the write. */
export function valueText(bytes: number, write: string, numbers: object = {}): string {
  const empty = JSON.stringify({ w: write, ...numbers, fill: '' });
  const fill = 'x'.repeat(Math.max(0, bytes - empty.length));
  return JSON.stringify({ w: write, ...numbers, fill });
}

export function operationTemplate(shape: OperationShape): OperationTemplate {
  const body = Buffer.from(operationBody(shape));
  const operation = lengthDelimited(0x0a, body);
  const operations = Buffer.concat(Array(shape.operationsPerFrame).fill(operation));
  const clock = toBinary(ClientFrameSchema, create(ClientFrameSchema, { clock: STAMP_MARK }));
  const bytes = maskedMessage(Buffer.concat([clock, lengthDelimited(0x1a, operations)]));
  const frame = Buffer.from(bytes);
  return {
    bytes,
    clockAt: frame.indexOf(stampBytes()),
    operationsAt: frame.length - operations.length,
    operationBytes: operation.length,
    requestIdAt: operation.indexOf(0x08) + 1,
    keyAt: operation.indexOf(KEY_MARK),
    stampAt: operation.indexOf(stampBytes()),
    writeAt: operation.indexOf(WRITE_MARK),
    numbersAt: numbersIn(operation, shape),
  };
}

function numbersIn(operation: Buffer, shape: OperationShape): OperationTemplate['numbersAt'] {
  if (shape.isGet || shape.predicates === 0) return undefined;
  const { n, a, b } = NUMBER_MARKS;
  const at = (mark: number): number => operation.indexOf(String(mark));
  return [at(n), at(a), at(b)];
}

function operationBody(shape: OperationShape): Uint8Array {
  const numbers = shape.predicates === 0 ? {} : NUMBER_MARKS;
  const put = {
    value: Buffer.from(valueText(shape.valueBytes, WRITE_MARK, numbers)),
    valueKind: ValueKind.JSON,
    stamp: shape.stamped ? STAMP_MARK : 0n,
    ackLevel: shape.safe ? AckLevel.SAFE : AckLevel.FAST,
  };
  const operation = create(OperationSchema, {
    requestId: REQUEST_ID_MARK,
    kind: shape.isGet ? OperationKind.GET : OperationKind.PUT,
    map: MAP,
    key: KEY_MARK,
    ...(shape.isGet ? {} : put),
  });
  return toBinary(OperationSchema, operation);
}

function stampBytes(): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(STAMP_MARK);
  return bytes;
}

/** A field of `tag` with `body`. */
export function lengthDelimited(tag: number, body: Uint8Array): Buffer {
  const head = [tag];
  let length = body.length;
  for (; length > 0x7f; length >>>= 7) head.push((length & 0x7f) | 0x80);
  head.push(length);
  return Buffer.concat([Buffer.from(head), body]);
}

const HEX: Uint8Array = Buffer.from('0123456789abcdef');
const KEY_PREFIX: Uint8Array = Buffer.from('key:0000');

/** Writes key number `key` as 16 bytes of text. */
export function writeKey(target: Uint8Array, at: number, key: number): void {
  for (let i = 0; i < 8; i++) target[at + i] = KEY_PREFIX[i];
  writeHex(target, at + 8, key);
}

/** Key number `key` as text. */
export function keyText(key: number): string {
  const bytes = Buffer.alloc(KEY_BYTES);
  writeKey(bytes, 0, key);
  return bytes.toString('latin1');
}

/** Writes `number` as eight hexadecimal digits. */
export function writeHex(target: Uint8Array, at: number, number: number): void {
  for (let i = 0; i < 8; i++) target[at + i] = HEX[(number >>> (28 - 4 * i)) & 15];
}

/** Writes `number`, of seven digits, as decimal digits. */
export function writeDecimal(target: Uint8Array, at: number, number: number): void {
  for (let i = 6, rest = number; i >= 0; i--, rest = Math.floor(rest / 10))
    target[at + i] = 0x30 + (rest % 10);
}

/** Writes a number of [2^21, 2^28) as a varint of four bytes. */
export function writeRequestId(target: Uint8Array, at: number, id: number): void {
  target[at] = (id & 0x7f) | 0x80;
  target[at + 1] = ((id >>> 7) & 0x7f) | 0x80;
  target[at + 2] = ((id >>> 14) & 0x7f) | 0x80;
  target[at + 3] = id >>> 21;
}

/** Writes `ms << 16 | counter` as a little-endian number of 64 bits. */
export function writeStamp(target: Uint8Array, at: number, ms: number, counter: number): void {
  const low = ms | 0;
  const high = (ms / 0x1_0000_0000) | 0;
  target[at] = counter & 0xff;
  target[at + 1] = counter >>> 8;
  target[at + 2] = low & 0xff;
  target[at + 3] = (low >>> 8) & 0xff;
  target[at + 4] = (low >>> 16) & 0xff;
  target[at + 5] = low >>> 24;
  target[at + 6] = high & 0xff;
  target[at + 7] = (high >>> 8) & 0xff;
}
