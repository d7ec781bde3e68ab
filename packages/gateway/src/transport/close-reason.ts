const REASON_BYTES_MAX = 123; // a control frame carries 125 bytes, two of them the code

/** As much of the text as a close frame holds; no character is cut. */
export function closeReason(text: string): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(REASON_BYTES_MAX));
  return text.slice(0, read);
}
