import { FRAME_OPERATIONS_MAX } from '../limits.js';
import { FrameFault } from './frame-fault.js';
import {
  clearOperation,
  FIXED64_BYTES,
  ODD_FIELD,
  OperationFields,
  readShortField,
  readStamp,
  readWord,
  SHORT_FIELD_BYTES,
} from './operation-fields.js';

/** Field numbers of the bodies of a ClientFrame. */
export const ClientBody = {
  HELLO: 2,
  OPERATIONS: 3,
  SUBSCRIBE: 4,
  UNSUBSCRIBE: 5,
  PING: 6,
  QUERY: 7,
  CANCEL_QUERY: 8,
  REFRESH: 9,
  ASK_DURABLE: 10,
} as const;

/** `nextOperation` has filled the fields of one. */
export const OPERATION_READ = 1;
/** `nextOperation` is behind the last one. */
export const OPERATIONS_END = 0;

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const GROUP_START = 3;
const GROUP_END = 4;
const FIXED32 = 5;

const FIXED32_BYTES = 4;
const VARINT_BYTES_MAX = 10;
const CLOCK_FIELD = 1;
const OPERATION_TAG = (1 << 3) | LENGTH_DELIMITED;
const LOWEST_PENDING_FIELD = 2;
const STAMP_FIELD = 7;
const IF_STAMP_FIELD = 14;
const FIRST_MEMORY_FIELD = 17;
const PROCESSOR_FIELD = 18;
const OTHERS_FIELD = 19;
const OPERATION_FIELDS = 19;

const HIGH = 0x1_0000_0000;
const NO_BYTES: Uint8Array = new Uint8Array(0);

/**
 * Reads the bytes of a ClientFrame in place: no allocation, no strings, no exceptions. One reader
 * serves all frames of a thread; the bytes must stay as they are until the last `nextOperation`.
 *
 * What it accepts it reads as Protobuf does (last one wins, unknown fields are skipped); where it is
 * stricter see docs/formats/wire-frame.md. Map and key are not looked at: see `isCleanUtf8`. The
 * bodies other than Operations are bounded here and decoded by the caller.
 */
export class FrameReader extends OperationFields {
  /** Field number of the one body, see {@link ClientBody}. */
  body = 0;
  bodyOffset = 0;
  bodyLength = 0;
  /** The clock's fixed64 as two unsigned halves. */
  clockLow = 0;
  clockHigh = 0;
  operationCount = 0;
  /** Of an Operations body: of its first `operationCount` entries. They can be refused unread. */
  readonly requestIds: Uint32Array = new Uint32Array(FRAME_OPERATIONS_MAX);
  /** Of an Operations body. */
  lowestPending = 0;

  #bytes: Uint8Array = NO_BYTES;
  #at = 0;
  #low = 0; // signed, like #high: as doubles they would cost
  #high = 0;
  #isFilled = false; // the checking pass has left the fields of the only operation

  get clockMs(): number {
    return this.clockHigh * 0x10000 + (this.clockLow >>> 16);
  }

  get clockCounter(): number {
    return this.clockLow & 0xffff;
  }

  /** Checks the whole frame, every operation included. Not NONE: nothing of it may be used. */
  open(bytes: Uint8Array): FrameFault {
    this.#bytes = bytes;
    this.#at = 0;
    this.body = 0;
    this.bodyOffset = 0;
    this.bodyLength = 0;
    this.clockLow = 0;
    this.clockHigh = 0;
    this.operationCount = 0;
    this.lowestPending = 0;
    this.#isFilled = false;
    const fault = this.#readFrame(bytes.length);
    if (fault < 0) return fault;
    return this.body === ClientBody.OPERATIONS ? this.#checkOperations() : FrameFault.NONE;
  }

  /** Reads the next operation of an Operations body: OPERATION_READ or OPERATIONS_END. */
  nextOperation(): number {
    if (this.#isFilled) {
      this.#isFilled = false;
      return OPERATION_READ;
    }
    return this.#nextOperation();
  }

  #readFrame(end: number): FrameFault {
    while (this.#at < end) {
      const tag = this.#readTag(end);
      if (tag < 0) return tag as FrameFault;
      const fault = this.#readFrameField(tag, end);
      if (fault < 0) return fault;
    }
    return this.body === 0 ? FrameFault.NO_BODY : FrameFault.NONE;
  }

  #readFrameField(tag: number, end: number): FrameFault {
    const field = tag >>> 3;
    const wireType = tag & 7;
    if (field > ClientBody.ASK_DURABLE) return this.#skip(wireType, end);
    if (field === CLOCK_FIELD) {
      if (wireType !== FIXED64) return wrongWireType(wireType);
      if (end - this.#at < FIXED64_BYTES) return FrameFault.TRUNCATED;
      this.clockLow = readWord(this.#bytes, this.#at) >>> 0;
      this.clockHigh = readWord(this.#bytes, this.#at + 4) >>> 0;
      this.#at += FIXED64_BYTES;
      return FrameFault.NONE;
    }
    if (wireType !== LENGTH_DELIMITED) return wrongWireType(wireType);
    if (this.body !== 0) return FrameFault.TWO_BODIES;
    const length = this.#readLength(end);
    if (length < 0) return length as FrameFault;
    this.body = field;
    this.bodyOffset = this.#at;
    this.bodyLength = length;
    this.#at += length;
    return FrameFault.NONE;
  }

  /** A frame is refused whole, so all of it is read once before its first operation is used. */
  #checkOperations(): FrameFault {
    this.#at = this.bodyOffset;
    for (;;) {
      const read = this.#nextOperation();
      if (read < 0) return read as FrameFault;
      if (read === OPERATIONS_END) break;
      if (this.operationCount === FRAME_OPERATIONS_MAX) return FrameFault.TOO_MANY_OPERATIONS;
      this.requestIds[this.operationCount++] = this.requestId;
    }
    if (this.operationCount === 1) this.#isFilled = true;
    else this.#at = this.bodyOffset;
    return FrameFault.NONE;
  }

  #nextOperation(): number {
    const end = this.bodyOffset + this.bodyLength;
    while (this.#at < end) {
      const tag = this.#readTag(end);
      if (tag < 0) return tag;
      if (tag !== OPERATION_TAG) {
        const fault = this.#readOperationsField(tag, end);
        if (fault < 0) return fault;
        continue;
      }
      const length = this.#readLength(end);
      if (length < 0) return length;
      const fault = this.#readOperation(this.#at + length);
      return fault < 0 ? fault : OPERATION_READ;
    }
    return OPERATIONS_END;
  }

  /** A field of an Operations body that is no operation. */
  #readOperationsField(tag: number, end: number): FrameFault {
    const field = tag >>> 3;
    if (field > LOWEST_PENDING_FIELD) return this.#skip(tag & 7, end);
    if (field !== LOWEST_PENDING_FIELD || (tag & 7) !== VARINT) return wrongWireType(tag & 7);
    if (!this.#readVarint(end)) return this.#varintFault(end);
    this.lowestPending = this.#low >>> 0;
    return FrameFault.NONE;
  }

  /** The fields as clients write them are read here, everything else by `#readOddField`. */
  #readOperation(end: number): FrameFault {
    clearOperation(this);
    const bytes = this.#bytes;
    const shortEnd = Math.min(end, bytes.length - SHORT_FIELD_BYTES);
    let at = this.#at;
    while (at < end) {
      const next = at < shortEnd ? readShortField(this, bytes, at) : ODD_FIELD;
      if (next !== ODD_FIELD && next <= end) {
        at = next;
        continue;
      }
      this.#at = at;
      const fault = this.#readOddField(end);
      if (fault < 0) return fault;
      at = this.#at;
    }
    this.#at = at;
    return FrameFault.NONE;
  }

  #readOddField(end: number): FrameFault {
    const tag = this.#readTag(end);
    if (tag < 0) return tag as FrameFault;
    const field = tag >>> 3;
    switch (tag & 7) {
      case VARINT:
        return this.#readVarint(end) ? this.#takeNumber(field) : this.#varintFault(end);
      case LENGTH_DELIMITED:
        return this.#takeBytes(field, end);
      case FIXED64:
        return end - this.#at < FIXED64_BYTES ? FrameFault.TRUNCATED : this.#takeFixed64(field);
      default:
        return field > OPERATION_FIELDS ? this.#skip(tag & 7, end) : wrongWireType(tag & 7);
    }
  }

  #takeFixed64(field: number): FrameFault {
    const at = this.#at;
    this.#at = at + FIXED64_BYTES;
    switch (field) {
      case STAMP_FIELD:
        readStamp(this, this.#bytes, at);
        break;
      case IF_STAMP_FIELD:
        this.ifStampLow = readWord(this.#bytes, at);
        this.ifStampHigh = readWord(this.#bytes, at + 4);
        break;
      case FIRST_MEMORY_FIELD:
        this.firstMemory = unsigned64(readWord(this.#bytes, at), readWord(this.#bytes, at + 4));
        break;
      default:
        if (field <= OPERATION_FIELDS) return FrameFault.WIRE_TYPE;
    }
    return FrameFault.NONE;
  }

  #takeNumber(field: number): FrameFault {
    switch (field) {
      case 1:
        this.requestId = this.#low >>> 0;
        break;
      case 2:
        this.kind = this.#low;
        break;
      case 6:
        this.valueKind = this.#low;
        break;
      case 8:
        this.node = this.#low >>> 0;
        break;
      case 9:
        this.ttlMs = unsigned64(this.#low, this.#high);
        break;
      case 10:
        this.ackLevel = this.#low;
        break;
      case 11:
        this.returnWinner = (this.#low | this.#high) !== 0;
        break;
      case 12:
        this.whileConnected = (this.#low | this.#high) !== 0;
        break;
      case 13:
        this.ifAbsent = (this.#low | this.#high) !== 0;
        break;
      case 15:
        this.ifNode = this.#low >>> 0;
        break;
      case 16:
        this.keep = this.#low >>> 0;
        break;
      default:
        if (field <= OPERATION_FIELDS) return FrameFault.WIRE_TYPE;
    }
    return FrameFault.NONE;
  }

  #takeBytes(field: number, end: number): FrameFault {
    const length = this.#readLength(end);
    if (length < 0) return length as FrameFault;
    const offset = this.#at;
    this.#at = offset + length;
    switch (field) {
      case 3:
        this.mapOffset = offset;
        this.mapLength = length;
        break;
      case 4:
        this.keyOffset = offset;
        this.keyLength = length;
        break;
      case 5:
        this.valueOffset = offset;
        this.valueLength = length;
        break;
      case PROCESSOR_FIELD:
        this.processorOffset = offset;
        this.processorLength = length;
        break;
      case OTHERS_FIELD:
        this.othersOffset = offset;
        this.othersLength = length;
        break;
      default:
        if (field <= OPERATION_FIELDS) return FrameFault.WIRE_TYPE;
    }
    return FrameFault.NONE;
  }

  #skip(wireType: number, end: number): FrameFault {
    switch (wireType) {
      case VARINT:
        return this.#readVarint(end) ? FrameFault.NONE : this.#varintFault(end);
      case FIXED64:
        return this.#advance(FIXED64_BYTES, end);
      case FIXED32:
        return this.#advance(FIXED32_BYTES, end);
      case LENGTH_DELIMITED: {
        const length = this.#readLength(end);
        return length < 0 ? (length as FrameFault) : this.#advance(length, end);
      }
      default:
        return FrameFault.GROUP;
    }
  }

  #advance(length: number, end: number): FrameFault {
    if (length > end - this.#at) return FrameFault.TRUNCATED;
    this.#at += length;
    return FrameFault.NONE;
  }

  /** The next tag, unsigned, or a fault. */
  #readTag(end: number): number {
    const start = this.#at;
    const first = this.#bytes[start];
    if (first < 0x80 && first > 7 && (first & 7) <= FIXED32) {
      this.#at = start + 1;
      return first;
    }
    if (!this.#readVarint(end)) return this.#varintFault(end);
    if (this.#at - start > 5 || this.#high !== 0) return FrameFault.TAG;
    const tag = this.#low >>> 0;
    return tag <= 7 || (tag & 7) > FIXED32 ? FrameFault.TAG : tag;
  }

  /** The next length, which fits before `end`, or a fault. */
  #readLength(end: number): number {
    if (!this.#readVarint(end)) return this.#varintFault(end);
    if (this.#high !== 0 || this.#low >>> 0 > end - this.#at) return FrameFault.TRUNCATED;
    return this.#low;
  }

  /** Reads 64 bits into `#low` and `#high`. False: see `#varintFault`. */
  #readVarint(end: number): boolean {
    const at = this.#at;
    if (at < end && this.#bytes[at] < 0x80) {
      this.#low = this.#bytes[at];
      this.#high = 0;
      this.#at = at + 1;
      return true;
    }
    return this.#readLongVarint(end);
  }

  #readLongVarint(end: number): boolean {
    const start = this.#at;
    const stop = Math.min(end, start + VARINT_BYTES_MAX);
    let low = 0;
    let high = 0;
    for (let at = start, shift = 0; at < stop; at++, shift += 7) {
      const byte = this.#bytes[at];
      const bits = byte & 0x7f;
      if (shift < 32) low |= bits << shift;
      if (shift === 28) high = bits >>> 4;
      else if (shift > 28) high |= bits << (shift - 32);
      if (byte < 0x80) {
        this.#low = low;
        this.#high = high;
        this.#at = at + 1;
        return true;
      }
    }
    return false;
  }

  #varintFault(end: number): FrameFault {
    return end - this.#at < VARINT_BYTES_MAX ? FrameFault.TRUNCATED : FrameFault.VARINT;
  }
}

/** Number.MAX_SAFE_INTEGER stands for everything above. */
function unsigned64(low: number, high: number): number {
  return Math.min((high >>> 0) * HIGH + (low >>> 0), Number.MAX_SAFE_INTEGER);
}

function wrongWireType(wireType: number): FrameFault {
  const isGroup = wireType === GROUP_START || wireType === GROUP_END;
  return isGroup ? FrameFault.GROUP : FrameFault.WIRE_TYPE;
}
