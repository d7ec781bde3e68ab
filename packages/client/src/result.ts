import { Code, isRefusal, unpackStamp } from '@tidewire/core';
import { Level, type Result, ValueKind } from '@tidewire/schemas';
import { Entry } from './entry.js';
import { TidewireError } from './error.js';
import type { Outcome, ReachedLevel, WriteResult } from './write-result.js';

const OUTCOMES: ReadonlyMap<Code, Outcome> = new Map([
  [Code.APPLIED, 'APPLIED'],
  [Code.SUPERSEDED, 'SUPERSEDED'],
  [Code.DUPLICATE, 'DUPLICATE'],
]);

/** A processor may leave what it finds. */
const UPDATED: ReadonlySet<Code> = new Set([Code.APPLIED, Code.FOUND, Code.ABSENT]);

const LEVELS: ReadonlyMap<Level, ReachedLevel> = new Map([
  [Level.MEMORY, 'MEMORY'],
  [Level.JOURNAL, 'JOURNAL'],
  [Level.DATABASE, 'DATABASE'],
]);

/** The error that a refused operation rejects with; undefined if it was not refused. */
export function refusalOf(key: string, result: Result): TidewireError | undefined {
  if (!isRefusal(result.refusal)) return undefined;
  return new TidewireError(result.refusal, result.detail, {
    retryAfterMs: result.retryAfterMs,
    result: OUTCOMES.has(result.outcome) ? writeResultOf(result) : undefined,
    present: hasValue(result) ? entryIn(key, result) : undefined,
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
  return entryIn<T>(key, result);
}

/**
 * What an update has made of `key`; undefined if the answer does not repeat the value: a long one,
 * when the first answer was lost.
 * @throws TidewireError INVALID if this answers no update.
 */
export function updatedEntryOf<T>(key: string, result: Result): Entry<T> | undefined {
  if (!UPDATED.has(result.outcome)) throw unexpected('an update', result);
  return hasValue(result) ? entryIn<T>(key, result) : undefined;
}

function hasValue(result: Result): boolean {
  return result.valueKind !== ValueKind.UNSPECIFIED;
}

function entryIn<T>(key: string, result: Result): Entry<T> {
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
