import { Code } from '@tidewire/core';
import { TidewireError } from './error.js';
import { utf8Of } from './name.js';
import type { Stamp } from './stamp.js';

/** What the server does to the record that stands, whatever it is by then. */
export type UpdateKind = 'increment' | 'minimum' | 'maximum' | 'merge' | 'append' | 'execute';

/** What a write demands of the record that stands, and what else only updates have. */
export interface Guard {
  readonly ifAbsent?: boolean | undefined;
  readonly ifStamp?: Stamp | undefined;
  /** `append`: elements that stay; 0: all. */
  readonly keep?: number | undefined;
}

export interface UpdateOptions {
  /** Answer only once the database has it, not already when memory has. */
  readonly safe?: boolean;
  /** Milliseconds after which the record counts as removed; without it that stays as it is. */
  readonly ttlMs?: number;
  /** Only if the key has no value. */
  readonly ifAbsent?: boolean;
  /** Only if the record has this stamp. */
  readonly ifStamp?: Stamp;
}

export interface AppendOptions extends UpdateOptions {
  /** How many of the last elements stay; default all. */
  readonly keep?: number;
}

/** Where a record is. */
export interface RecordPlace {
  readonly map: string;
  readonly key: string;
}

export interface ExecuteOptions extends UpdateOptions {
  /**
   * Records, of whatever maps and of the same partition (the same key, say), that the processor is given
   * beside this one. All of them change at once or none.
   */
  readonly others?: readonly RecordPlace[];
}

const KEEP_MAX = 0xffffffff;

/** The JSON of an update's argument. */
export function argumentBytes(argument: unknown): Uint8Array {
  const text: string | undefined =
    typeof argument === 'bigint' ? String(argument) : JSON.stringify(argument);
  if (text === undefined) throw new TidewireError(Code.INVALID, 'This has no JSON form.');
  return utf8Of(text);
}

/** The options that make a write an update; undefined: none of them is there. */
export function guardOf({ ifAbsent, ifStamp, keep }: Guard): Guard | undefined {
  if (ifAbsent && ifStamp !== undefined)
    throw new TidewireError(Code.INVALID, 'ifAbsent and ifStamp do not go together.');
  if (keep !== undefined && !(Number.isInteger(keep) && keep >= 1 && keep <= KEEP_MAX))
    throw new TidewireError(Code.INVALID, `A keep of ${keep} is not 1 to ${KEEP_MAX}, whole.`);
  const isNone = !ifAbsent && ifStamp === undefined && keep === undefined;
  return isNone ? undefined : { ifAbsent, ifStamp, keep };
}
