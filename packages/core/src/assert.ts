/** A broken invariant: a bug, never an operating error. It is not caught; the process ends. */
export class InvariantError extends Error {
  override name = 'InvariantError';
}

/** Stops the process (by throwing {@link InvariantError}) unless `condition` holds. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Marks a place that an exhaustive switch never reaches. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${String(value)}`);
}
