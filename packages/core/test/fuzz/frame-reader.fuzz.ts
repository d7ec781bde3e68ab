import { disagreement } from '../frame-disagreement.js';

/** Reads a frame as Protobuf does, or refuses it by a listed rule; throws else. */
export function fuzz(data: Buffer): void {
  const trouble = disagreement(new Uint8Array(data));
  if (trouble !== undefined) throw new Error(trouble);
}
