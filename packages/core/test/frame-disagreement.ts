import { configureTextEncoding } from '@bufbuild/protobuf/wire';
import { FrameFault } from '#lib/wire/frame-fault.js';
import { isStrictlyValid, oracleFrame, readFrame } from './frame-oracle.js';

// The reader does not look at text, so here Protobuf must not either: one character a byte.
configureTextEncoding({
  encodeUtf8: (text) => new TextEncoder().encode(text),
  decodeUtf8: (bytes) => Buffer.from(bytes).toString('latin1'),
  checkUtf8: () => true,
});

/** What is wrong with our reading of a frame, if anything; `note` hears the fault or NONE. */
export function disagreement(
  bytes: Uint8Array,
  note: (fault: number) => void = () => {},
): string | undefined {
  const ours = readFrame(bytes);
  const fault = typeof ours === 'number' ? ours : FrameFault.NONE;
  note(fault);
  if ((fault === FrameFault.NONE) !== isStrictlyValid(bytes)) return `fault ${fault} by no rule`;
  if (typeof ours === 'number' || ours.body !== 3) return undefined;
  try {
    const theirs = oracleFrame(bytes, 'latin1');
    return show(ours) === show(theirs) ? undefined : `${show(ours)} is not ${show(theirs)}`;
  } catch (error) {
    return `Protobuf refuses: ${String(error)}`;
  }
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}` : v));
}
