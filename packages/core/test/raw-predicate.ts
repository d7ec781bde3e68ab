import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Predicate messages put together by hand, also such as no encoder of ours writes. */

/** Field numbers of Predicate. */
export const TEST = { all: 1, any: 2, not: 3, eq: 4, between: 10, in: 11, like: 13, exists: 14 };

/** A field that holds a message of these parts. */
export function part(number: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const writer = new BinaryWriter().tag(number, WireType.LengthDelimited);
  return writer.bytes(Buffer.concat(parts)).finish();
}

export function text(number: number, text: string): Uint8Array {
  return part(number, Buffer.from(text));
}

export function number(number: number, value: number): Uint8Array {
  return new BinaryWriter().tag(number, WireType.Varint).uint32(value).finish();
}

/** A Literal's content. */
export function numberLiteral(value: number): Uint8Array {
  return new BinaryWriter().tag(1, WireType.Bit64).double(value).finish();
}

/** A Step, as part of a Field. */
export function step(step: string | number): Uint8Array {
  return part(2, typeof step === 'string' ? text(1, step) : number(2, step));
}

/** The content of `a = 1`. */
export const A_IS_1: Uint8Array = part(TEST.eq, part(1, step('a')), part(2, numberLiteral(1)));

/** `a = 1` below so many `not`. */
export function rawNested(depth: number): Uint8Array {
  let bytes = A_IS_1;
  for (let i = 1; i < depth; i++) bytes = part(TEST.not, bytes);
  return bytes;
}
