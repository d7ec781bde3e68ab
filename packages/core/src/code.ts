import { Code } from '@tidewire/schemas';

export { Code };

/** One sentence for each code, used alike on the wire, in logs and by the command line. */
export const CODE_SENTENCES: Readonly<Record<Code, string>> = {
  [Code.UNSPECIFIED]: 'No code.',
  [Code.APPLIED]: 'The write was applied.',
  [Code.SUPERSEDED]: 'A newer record stands.',
  [Code.DUPLICATE]: 'This very write had been applied before.',
  [Code.FOUND]: 'The key has a value.',
  [Code.ABSENT]: 'The key has no value.',
  [Code.OVERLOADED]: 'No room at the moment; nothing was done, try again.',
  [Code.UNAVAILABLE]: 'This cannot be served now; nothing was done, try again later.',
  [Code.NOT_YET_DURABLE]: 'Applied in memory; the database has not confirmed it yet.',
  [Code.TOO_OLD]: 'The stamp is older than removed keys are remembered.',
  [Code.CLOCK_DRIFT]: 'The stamp lies further ahead than the clock allows; set the clock.',
  [Code.TOO_LARGE]: 'Beyond a limit; Welcome announces them.',
  [Code.INVALID]: 'Not a valid frame or operation.',
  [Code.PRECONDITION]: 'A condition of the write did not hold.',
  [Code.FORBIDDEN]: 'Not permitted.',
  [Code.UNAUTHENTICATED]: 'Say Hello first.',
  [Code.UNCERTAIN]: 'Whether an earlier attempt had its effect can no longer be told.',
  [Code.POISON]: 'The operation ended its worker twice and was skipped.',
  [Code.FENCED]: 'Another server took the database over.',
  [Code.SLOW_CONSUMER]: 'The connection did not read fast enough.',
  [Code.FAILED]: 'The processor threw or took too long; nothing was changed.',
};

/** The WebSocket close code for `code` (RFC 6455 §7.4.2 leaves 4000–4999 to applications). */
export function closeCodeOf(code: Code): number {
  return 4000 + code;
}

/** A refusal is an answer that says nothing was executed, or not as far as asked. */
export function isRefusal(code: Code): boolean {
  return code >= Code.OVERLOADED;
}
