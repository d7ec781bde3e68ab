import { Code } from '@tidewire/core';
import { TidewireError } from './error.js';

const encoder = new TextEncoder();
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Length in UTF-8 bytes of a map's name or a key.
 * @throws TidewireError INVALID if it has no such form, is empty or has a NUL; TOO_LARGE if too long.
 */
export function nameBytes(what: 'map' | 'key', name: string, bytesMax: number): number {
  if (typeof name !== 'string') throw new TidewireError(Code.INVALID, `A ${what} is a string.`);
  if (name === '') throw new TidewireError(Code.INVALID, `A ${what} needs at least one character.`);
  if (name.includes('\0')) throw new TidewireError(Code.INVALID, `A ${what} cannot contain NUL.`);
  if (LONE_SURROGATE.test(name))
    throw new TidewireError(
      Code.INVALID,
      `The ${what} ${JSON.stringify(name)} has a lone surrogate: it cannot be written as UTF-8.`,
    );
  const bytes = encoder.encode(name).length;
  if (bytes > bytesMax)
    throw new TidewireError(Code.TOO_LARGE, `The ${what} has ${bytes} bytes, limit ${bytesMax}.`);
  return bytes;
}

export function utf8Of(text: string): Uint8Array {
  return encoder.encode(text);
}
