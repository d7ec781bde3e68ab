import { fromBinary } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { type ClientFrame, ClientFrameSchema } from '@tidewire/schemas';
import { FRAME_OPERATIONS_MAX } from '#lib/limits.js';
import { FrameFault } from '#lib/wire/frame-fault.js';
import { ClientBody, FrameReader, OPERATION_READ, OPERATIONS_END } from '#lib/wire/frame-reader.js';

/** A frame as both readers are compared by; bytes in hexadecimal. */
export interface FrameReading {
  clock: bigint;
  body: number;
  lowestPending: number;
  operations: Record<string, string | number | bigint | boolean>[];
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const reader = new FrameReader();

/** What our reader makes of a frame, or the fault. */
export function readFrame(bytes: Uint8Array): FrameReading | FrameFault {
  const fault = reader.open(bytes);
  if (fault !== FrameFault.NONE) return fault;
  const clock = (BigInt(reader.clockMs) << 16n) | BigInt(reader.clockCounter);
  const operations: FrameReading['operations'] = [];
  if (reader.body === ClientBody.OPERATIONS) {
    let read = reader.nextOperation();
    for (; read === OPERATION_READ; read = reader.nextOperation())
      operations.push(currentOperation(bytes));
    if (read !== OPERATIONS_END) throw new Error('an opened frame has a fault');
  }
  if (operations.length !== reader.operationCount) throw new Error('operations counted wrongly');
  return { clock, body: reader.body, lowestPending: reader.lowestPending, operations };
}

function currentOperation(bytes: Uint8Array): FrameReading['operations'][number] {
  return {
    requestId: reader.requestId,
    kind: reader.kind,
    map: hex(bytes.subarray(reader.mapOffset, reader.mapOffset + reader.mapLength)),
    key: hex(bytes.subarray(reader.keyOffset, reader.keyOffset + reader.keyLength)),
    value: hex(bytes.subarray(reader.valueOffset, reader.valueOffset + reader.valueLength)),
    valueKind: reader.valueKind,
    stamp: (BigInt(reader.stampMs) << 16n) | BigInt(reader.stampCounter),
    node: reader.node,
    ttlMs: reader.ttlMs,
    ackLevel: reader.ackLevel,
    returnWinner: reader.returnWinner,
    whileConnected: reader.whileConnected,
    ifAbsent: reader.ifAbsent,
    ifStamp: (BigInt(reader.ifStampHigh >>> 0) << 32n) | BigInt(reader.ifStampLow >>> 0),
    ifNode: reader.ifNode,
    keep: reader.keep,
    firstMemory: reader.firstMemory,
    processor: hex(
      bytes.subarray(reader.processorOffset, reader.processorOffset + reader.processorLength),
    ),
    others: hex(bytes.subarray(reader.othersOffset, reader.othersOffset + reader.othersLength)),
  };
}

/** What Protobuf makes of a frame; `text` gives back the bytes of a string. Throws as it does. */
export function oracleFrame(bytes: Uint8Array, text: BufferEncoding): FrameReading {
  return readingOf(fromBinary(ClientFrameSchema, bytes), text);
}

export function readingOf(frame: ClientFrame, text: BufferEncoding): FrameReading {
  const body = frame.body;
  const numbers = {
    hello: 2,
    operations: 3,
    subscribe: 4,
    unsubscribe: 5,
    ping: 6,
    query: 7,
    cancelQuery: 8,
    refresh: 9,
    askDurable: 10,
  };
  const operations = body.case === 'operations' ? body.value.operations : [];
  return {
    clock: frame.clock,
    body: body.case === undefined ? 0 : numbers[body.case],
    lowestPending: body.case === 'operations' ? body.value.lowestPending : 0,
    operations: operations.map((operation) => ({
      requestId: operation.requestId,
      kind: operation.kind,
      map: Buffer.from(operation.map, text).toString('hex'),
      key: Buffer.from(operation.key, text).toString('hex'),
      value: hex(operation.value),
      valueKind: operation.valueKind,
      stamp: operation.stamp,
      node: operation.node,
      ttlMs: Number(operation.ttlMs < MAX_SAFE ? operation.ttlMs : MAX_SAFE),
      ackLevel: operation.ackLevel,
      returnWinner: operation.returnWinner,
      whileConnected: operation.whileConnected,
      ifAbsent: operation.ifAbsent,
      ifStamp: operation.ifStamp,
      ifNode: operation.ifNode,
      keep: operation.keep,
      firstMemory: Number(operation.firstMemory < MAX_SAFE ? operation.firstMemory : MAX_SAFE),
      processor: Buffer.from(operation.processor, text).toString('hex'),
      others: hex(operation.others),
    })),
  };
}

const OPERATION_WIRE_TYPES = wireTypes([0, 0, 2, 2, 2, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 2]);
const FRAME_WIRE_TYPES = wireTypes([1, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
const OPERATIONS_WIRE_TYPES = wireTypes([2, 0]);

function wireTypes(types: number[]): Map<number, number> {
  return new Map(types.map((type, index) => [index + 1, type]));
}

/**
 * The listed rules by which the reader is stricter than Protobuf, written down a second time, slowly,
 * on top of Protobuf's own primitives. True: no rule is broken and every byte can be read.
 */
export function isStrictlyValid(bytes: Uint8Array): boolean {
  try {
    let bodies = 0;
    let operations = 0;
    const source = new BinaryReader(bytes);
    walk(source, bytes.length, FRAME_WIRE_TYPES, (field, end) => {
      if (field === 1) return;
      bodies++;
      if (field !== ClientBody.OPERATIONS) return;
      const start = source.pos;
      walk(source, end, OPERATIONS_WIRE_TYPES, (field, operationEnd) => {
        if (field !== 1) return;
        operations++;
        const operationStart = source.pos;
        walk(source, operationEnd, OPERATION_WIRE_TYPES, () => {});
        source.pos = operationStart;
      });
      source.pos = start;
    });
    return bodies === 1 && operations <= FRAME_OPERATIONS_MAX;
  } catch {
    return false;
  }
}

function walk(
  source: BinaryReader,
  end: number,
  types: Map<number, number>,
  onField: (field: number, end: number) => void,
): void {
  while (source.pos < end) {
    const [field, wireType] = source.tag();
    const fieldEnd = endOfField(source, wireType);
    if (fieldEnd > end) throw new Error('beyond its message');
    if (types.has(field)) {
      if (types.get(field) !== wireType) throw new Error('wrong wire type');
      onField(field, fieldEnd);
    }
    source.pos = fieldEnd;
  }
}

/** Moves to the content of a length-delimited field; returns where the field ends. */
function endOfField(source: BinaryReader, wireType: WireType): number {
  const start = source.pos;
  switch (wireType) {
    case WireType.Varint:
      source.uint64();
      return source.pos;
    case WireType.Bit64:
      return start + 8;
    case WireType.Bit32:
      return start + 4;
    case WireType.LengthDelimited:
      return Number(source.uint64()) + source.pos;
    default:
      throw new Error('group');
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
