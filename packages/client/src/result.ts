import { Code, isRefusal, unpackStamp } from '@tidewire/core';
import { Level, type Result, ValueKind } from '@tidewire/schemas';
import { Entry } from './entry.js';
import { TidewireError } from './error.js';

/** The time of a write: hybrid logical clock and the writer's node; ordered in this sequence. */
export interface Stamp {
  /** Milliseconds since 1970, near the server's physical time. */
  readonly ms: number;
  readonly counter: number;
  readonly node: number;
}

/** What a write came to. SUPERSEDED is no error: a newer record stands. */
export type Outcome = 'APPLIED' | 'SUPERSEDED' | 'DUPLICATE';

/** How far the record has got: MEMORY of its owner, or committed by the DATABASE. */
export type ReachedLevel = 'MEMORY' | 'JOURNAL' | 'DATABASE';

export interface WriteResult {
  readonly outcome: Outcome;
  readonly level: ReachedLevel;
  readonly partition: number;
  /** The partition's sequence at the record spoken of. */
  readonly sequence: number;
  /** Of the own write; with SUPERSEDED, of the record that stands. */
  readonly stamp: Stamp;
}

const OUTCOMES: ReadonlyMap<Code, Outcome> = new Map([
  [Code.APPLIED, 'APPLIED'],
  [Code.SUPERSEDED, 'SUPERSEDED'],
  [Code.DUPLICATE, 'DUPLICATE'],
]);

const LEVELS: ReadonlyMap<Level, ReachedLevel> = new Map([
  [Level.MEMORY, 'MEMORY'],
  [Level.JOURNAL, 'JOURNAL'],
  [Level.DATABASE, 'DATABASE'],
]);

/** The error that a refused operation rejects with; undefined if it was not refused. */
export function refusalOf(result: Result): TidewireError | undefined {
  if (!isRefusal(result.refusal)) return undefined;
  return new TidewireError(result.refusal, result.detail, {
    retryAfterMs: result.retryAfterMs,
    result: OUTCOMES.has(result.outcome) ? writeResultOf(result) : undefined,
  });
}

/** @throws TidewireError INVALID if this answers no write. */
export function writeResultOf(result: Result): WriteResult {
  const outcome = OUTCOMES.get(result.outcome);
  if (outcome === undefined) throw unexpected('a write', result);
  return {
    outcome,
    level: LEVELS.get(result.level) ?? 'MEMORY',
    partition: result.partition,
    sequence: Number(result.sequence),
    stamp: { ...unpackStamp(result.stamp), node: result.node },
  };
}

/**
 * What a get of `key` found; undefined if the key has no value.
 * @throws TidewireError INVALID if this answers no get.
 */
export function entryOf<T>(key: string, result: Result): Entry<T> | undefined {
  if (result.outcome === Code.ABSENT) return undefined;
  if (result.outcome !== Code.FOUND) throw unexpected('a get', result);
  return new Entry<T>({
    key,
    bytes: result.value,
    kind: result.valueKind === ValueKind.BYTES ? 'bytes' : 'json',
    stamp: { ...unpackStamp(result.stamp), node: result.node },
    partition: result.partition,
    sequence: Number(result.sequence),
    expiresAtMs: Number(result.expiresAtMs),
  });
}

function unexpected(operation: string, result: Result): TidewireError {
  return new TidewireError(
    Code.INVALID,
    `The server answered ${operation} with outcome ${result.outcome}.`,
  );
}
