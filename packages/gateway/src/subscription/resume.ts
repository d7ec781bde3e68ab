import { PARTITIONS } from '@tidewire/core';
import { CATCH_UP_RESUME, CATCH_UP_SNAPSHOT } from '@tidewire/core/threads';
import type { Cursor, PartitionSequence } from '@tidewire/schemas';
import { type CatchUpPlan, keyPlanAfter, SNAPSHOT_PLAN } from './catch-up-plan.js';

const SEQUENCE_MAX = 2n ** 48n - 1n;

/** What a server knows of itself and its earlier starts once it has opened its database. */
export interface ServerStart {
  readonly epoch: number;
  /** Random number of the database. */
  readonly store: bigint;
  /** Of earlier epochs, the sequence up to which their changes were in the database. */
  readonly bases: ReadonlyMap<number, Float64Array>;
}

/** What a cursor is worth that has been honoured. */
export interface Resumed {
  readonly refusal: undefined;
  readonly plan: CatchUpPlan;
  /** What the client was told last; of another epoch if `isForeign`. */
  readonly delivered: Float64Array;
  readonly isForeign: boolean;
  /** Up to here a sequence means today what it meant then. */
  readonly base: Base;
}

/** What becomes of subscriptions that resume from the cursor of Hello; a refusal says why none can. */
export type Resumption = Resumed | { readonly refusal: string };

type Base = (partition: number) => number;

export const NO_CURSOR: Resumption = { refusal: 'Hello had no cursor to resume from.' };

/**
 * Decides for each partition whether what the client was told of still holds. `told`: up to where
 * Progress has been told of in this epoch. No cursor of this epoch lies above it unless it is forged.
 */
export function resumptionOf(
  cursor: Cursor | undefined,
  start: ServerStart,
  told: Float64Array,
): Resumption {
  if (cursor === undefined) return NO_CURSOR;
  if (cursor.store !== start.store) return { refusal: 'The cursor of Hello is of another store.' };
  if (cursor.epoch > BigInt(start.epoch)) {
    const refusal = `The cursor of Hello is of epoch ${cursor.epoch}; this is ${start.epoch}.`;
    return { refusal };
  }
  const isForeign = cursor.epoch !== BigInt(start.epoch);
  const refusal =
    faultOf(cursor.delivered, 'delivered', isForeign ? undefined : told) ??
    faultOf(cursor.seen, 'seen', undefined);
  if (refusal !== undefined) return { refusal };
  const delivered = vectorOf(cursor.delivered);
  const base = isForeign ? baseOf(start.bases.get(Number(cursor.epoch))) : everything;
  const seen = vectorOf([...cursor.delivered, ...cursor.seen]);
  const plan: CatchUpPlan = {
    modeOf: (partition) =>
      seen[partition] <= base(partition) ? CATCH_UP_RESUME : CATCH_UP_SNAPSHOT,
    cursorOf: (partition) => delivered[partition],
  };
  return { refusal: undefined, plan, delivered, isForeign, base };
}

/** Of a key whose state the client holds at sequence `known`; 0: it holds none. */
export function resumeKey(resumption: Resumed, partition: number, known: number): CatchUpPlan {
  return known <= resumption.base(partition) ? keyPlanAfter(known) : SNAPSHOT_PLAN;
}

const everything: Base = () => Number.POSITIVE_INFINITY;

/** An epoch that is not kept any more vouches for nothing. */
function baseOf(sequences: Float64Array | undefined): Base {
  return sequences === undefined ? () => -1 : (partition) => sequences[partition];
}

function faultOf(
  entries: readonly PartitionSequence[],
  name: string,
  told: Float64Array | undefined,
): string | undefined {
  for (const [i, { partition, sequence }] of entries.entries()) {
    const place = `The cursor of Hello, ${name}[${i}]`;
    if (partition >= PARTITIONS) return `${place}: there is no partition ${partition}.`;
    if (sequence > SEQUENCE_MAX) return `${place}: there is no sequence ${sequence}.`;
    if (told !== undefined && sequence > told[partition])
      return `${place}: partition ${partition} has told of ${told[partition]}, not of ${sequence}.`;
  }
  return undefined;
}

/** The highest sequence of each partition. */
function vectorOf(entries: readonly PartitionSequence[]): Float64Array {
  const sequences = new Float64Array(PARTITIONS);
  for (const { partition, sequence } of entries)
    sequences[partition] = Math.max(sequences[partition], Number(sequence));
  return sequences;
}
