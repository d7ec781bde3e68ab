export const FIXED64_BYTES = 8;
/** A stamp with its tag is the longest field that `readShortField` reads unchecked. */
export const SHORT_FIELD_BYTES: number = 1 + FIXED64_BYTES;
export const ODD_FIELD = -1;

/** One operation of a frame. Offsets are those of the frame's bytes; an absent field is 0. */
export class OperationFields {
  requestId = 0;
  kind = 0;
  mapOffset = 0;
  mapLength = 0;
  keyOffset = 0;
  keyLength = 0;
  valueOffset = 0;
  valueLength = 0;
  valueKind = 0;
  stampMs = 0;
  stampCounter = 0;
  node = 0;
  /** Number.MAX_SAFE_INTEGER stands for everything above. */
  ttlMs = 0;
  ackLevel = 0;
  returnWinner = false;
  whileConnected = false;
  ifAbsent = false;
  /** The fixed64 as two words; 0 and 0: no condition. */
  ifStampLow = 0;
  ifStampHigh = 0;
  ifNode = 0;
  keep = 0;
  /** Number.MAX_SAFE_INTEGER stands for everything above. */
  firstMemory = 0;
  processorOffset = 0;
  processorLength = 0;
  othersOffset = 0;
  othersLength = 0;
}

/**
 * Reads a field whose number, or length, has at most 28 bits. Returns the offset behind it, which
 * the caller has to check, or ODD_FIELD. REQUIRES: SHORT_FIELD_BYTES bytes at `at`.
 * Tags (number << 3 | wire type) are literals, since named ones made it a third slower.
 */
export function readShortField(operation: OperationFields, bytes: Uint8Array, at: number): number {
  const tag = bytes[at];
  if (tag === 0x39) return readStamp(operation, bytes, at + 1);
  let value = bytes[at + 1];
  let next = at + 2;
  if (value >= 0x80) {
    value = (value & 0x7f) | (bytes[next++] << 7);
    if (value >= 0x4000) {
      value = (value & 0x3fff) | (bytes[next++] << 14);
      if (value >= 0x20_0000) {
        value = (value & 0x1f_ffff) | (bytes[next++] << 21);
        if (value >= 0x1000_0000) return ODD_FIELD;
      }
    }
  }
  switch (tag) {
    case 0x08:
      operation.requestId = value;
      return next;
    case 0x10:
      operation.kind = value;
      return next;
    case 0x1a:
      operation.mapOffset = next;
      operation.mapLength = value;
      return next + value;
    case 0x22:
      operation.keyOffset = next;
      operation.keyLength = value;
      return next + value;
    case 0x2a:
      operation.valueOffset = next;
      operation.valueLength = value;
      return next + value;
    case 0x30:
      operation.valueKind = value;
      return next;
    case 0x40:
      operation.node = value;
      return next;
    case 0x48:
      operation.ttlMs = value;
      return next;
    case 0x50:
      operation.ackLevel = value;
      return next;
    case 0x58:
      operation.returnWinner = value !== 0;
      return next;
    case 0x60:
      operation.whileConnected = value !== 0;
      return next;
    default:
      return ODD_FIELD;
  }
}

export function clearOperation(operation: OperationFields): void {
  operation.requestId = 0;
  operation.kind = 0;
  operation.mapOffset = 0;
  operation.mapLength = 0;
  operation.keyOffset = 0;
  operation.keyLength = 0;
  operation.valueOffset = 0;
  operation.valueLength = 0;
  operation.valueKind = 0;
  operation.stampMs = 0;
  operation.stampCounter = 0;
  operation.node = 0;
  operation.ttlMs = 0;
  operation.ackLevel = 0;
  operation.returnWinner = false;
  operation.whileConnected = false;
  operation.ifAbsent = false;
  operation.ifStampLow = 0;
  operation.ifStampHigh = 0;
  operation.ifNode = 0;
  operation.keep = 0;
  operation.firstMemory = 0;
  operation.processorOffset = 0;
  operation.processorLength = 0;
  operation.othersOffset = 0;
  operation.othersLength = 0;
}

/** Reads 8 bytes that are known to be there; returns the offset behind them. */
export function readStamp(operation: OperationFields, bytes: Uint8Array, at: number): number {
  const low = readWord(bytes, at);
  operation.stampMs = (readWord(bytes, at + 4) >>> 0) * 0x10000 + (low >>> 16);
  operation.stampCounter = low & 0xffff;
  return at + FIXED64_BYTES;
}

export function readWord(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}
