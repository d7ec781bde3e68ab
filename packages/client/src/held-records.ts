import { sipHash } from '@tidewire/core';
import { type Event, EventKind, type Slice, SliceKind } from '@tidewire/schemas';
import { utf8Of } from './name.js';
import { badFrame } from './protocol.js';

/** What a subscription's handler is to be told. */
export interface Change {
  readonly kind: 'enter' | 'update' | 'leave';
  readonly partition: number;
  readonly key: string;
  /** As the server sent it. Without one the key is gone, which a SNAPSHOT or a hash has shown. */
  readonly event: Event | undefined;
}

interface Held {
  readonly sequence: number;
  /** With the node: names the write. */
  readonly stamp: bigint;
  readonly node: number;
  /** The SNAPSHOT or RENEWAL that had it last. */
  readonly round: number;
}

interface Partition {
  /** Keys that the handler knows to stand. */
  readonly standing: Map<string, Held>;
  /** Keys that it knows to be gone, with the sequence of that. */
  readonly gone: Map<string, number>;
  /** Number of the last SNAPSHOT or RENEWAL. */
  round: number;
  /** Between the first and the last slice of one: what earlier rounds told is void. */
  isReplacing: boolean;
}

/**
 * What one subscription has told its handler, so that the handler hears of every state once and of
 * none that is older than what it knows: the rules of "Catching up" in docs/subscriptions.md.
 *
 * Sequences are compared within a partition. Those of an earlier epoch still compare: a partition
 * that lost some is replaced by a SNAPSHOT.
 */
export class HeldRecords {
  readonly #partitions = new Map<number, Partition>();
  /** Up to here everything of a partition has been delivered; 0 if nothing is said of it. */
  readonly #delivered = new Map<number, number>();
  readonly #startsEmpty: boolean;

  /**
   * `startsEmpty`: it began with a SNAPSHOT, so a key that is not held is known not to stand. Else the
   * handler may know of it from elsewhere, and the server's word is passed on.
   */
  constructor({ startsEmpty }: { startsEmpty: boolean }) {
    this.#startsEmpty = startsEmpty;
  }

  /** The sequence of the state held of `key`; 0 if none is. */
  sequenceOf(key: string): number {
    for (const { standing, gone } of this.#partitions.values()) {
      const sequence = standing.get(key)?.sequence ?? gone.get(key);
      if (sequence !== undefined) return sequence;
    }
    return 0;
  }

  /**
   * Takes one change; undefined if there is nothing to tell. A record that has expired comes as gone
   * under the sequence that it had.
   * @throws TidewireError INVALID for an event of an unknown kind.
   */
  takeEvent(event: Event): Change | undefined {
    const partition = this.#partition(event.partition);
    const known = knownSequence(partition, event.key);
    const sequence = Number(event.sequence);
    if (stands(event.kind)) return sequence > known ? this.#put(partition, event) : undefined;
    const hasExpired = sequence === known && partition.standing.has(event.key);
    return sequence > known || hasExpired ? this.#remove(partition, event) : undefined;
  }

  /**
   * Takes a part of what was missed. `salt`: of the Welcome under which it came.
   * @throws TidewireError INVALID if the server breaks the rules of slices.
   */
  takeSlice(slice: Slice, salt: Uint8Array): Change[] {
    const partition = this.#partition(slice.partition);
    const isRenewal = slice.kind === SliceKind.RENEWAL;
    const replaces = isRenewal || slice.kind === SliceKind.SNAPSHOT;
    if (replaces) enterReplacement(partition, slice);
    else if (slice.kind !== SliceKind.CHANGES) throw badFrame(`has a slice of kind ${slice.kind}`);
    const changes: Change[] = [];
    for (const event of slice.events) {
      const change = this.takeEvent(event);
      if (change && !(isRenewal && this.#isOld(change))) changes.push(change);
    }
    if (slice.forgotten.length > 0) changes.push(...forget(partition, slice, salt));
    if (replaces && slice.ends) changes.push(...sweep(partition, slice));
    return changes;
  }

  /** Nothing up to `sequence` comes again: what is gone since then need not be remembered. */
  prune(partitionNumber: number, sequence: number): void {
    if (!this.#startsEmpty) this.#delivered.set(partitionNumber, sequence);
    const gone = this.#partitions.get(partitionNumber)?.gone;
    if (gone === undefined) return;
    for (const [key, goneAt] of gone) if (goneAt <= sequence) gone.delete(key);
  }

  #put({ standing, gone, round }: Partition, event: Event): Change | undefined {
    const { partition, key, stamp, node } = event;
    const sequence = Number(event.sequence);
    const held = standing.get(key);
    standing.set(key, { sequence, stamp, node, round });
    gone.delete(key);
    if (held?.sequence === sequence && held.stamp === stamp && held.node === node) return undefined;
    const isUpdate = held !== undefined || this.#isUnknownUpdate(event);
    return { kind: isUpdate ? 'update' : 'enter', partition, key, event };
  }

  /** A RENEWAL shows records, too, of which the handler never was to hear: it began later than they. */
  #isOld({ kind, partition, event }: Change): boolean {
    if (this.#startsEmpty || kind !== 'enter' || event === undefined) return false;
    return Number(event.sequence) <= (this.#delivered.get(partition) ?? 0);
  }

  #isUnknownUpdate(event: Event): boolean {
    return !this.#startsEmpty && event.kind === EventKind.UPDATE;
  }

  #remove({ standing, gone }: Partition, event: Event): Change | undefined {
    const { partition, key } = event;
    const wasKnown = gone.has(key) || this.#startsEmpty;
    gone.set(key, Number(event.sequence));
    if (!standing.delete(key) && wasKnown) return undefined;
    return { kind: 'leave', partition, key, event };
  }

  #partition(number: number): Partition {
    let partition = this.#partitions.get(number);
    if (partition === undefined) {
      partition = { standing: new Map(), gone: new Map(), round: 0, isReplacing: false };
      this.#partitions.set(number, partition);
    }
    return partition;
  }
}

/** A state with a sequence not above this is no news; -1: any is. */
function knownSequence({ standing, gone, round, isReplacing }: Partition, key: string): number {
  const held = standing.get(key);
  if (held === undefined) return gone.get(key) ?? -1;
  return isReplacing && held.round !== round ? -1 : held.sequence;
}

function enterReplacement(partition: Partition, slice: Slice): void {
  if (slice.begins) {
    partition.round++;
    partition.isReplacing = true;
    partition.gone.clear();
  } else if (!partition.isReplacing) {
    throw badFrame(`continues a replacement of partition ${slice.partition} that has not begun`);
  }
}

/** The SNAPSHOT or RENEWAL is whole: what it did not have is gone. */
function sweep(partition: Partition, slice: Slice): Change[] {
  const changes: Change[] = [];
  for (const [key, { round }] of partition.standing) {
    if (round === partition.round) continue;
    partition.standing.delete(key);
    changes.push({ kind: 'leave', partition: slice.partition, key, event: undefined });
  }
  partition.isReplacing = false;
  return changes;
}

/** Hashes every key of the partition: a slice names thousands at once, and keys are short. */
function forget({ standing, gone }: Partition, slice: Slice, salt: Uint8Array): Change[] {
  const forgotten = new Set(slice.forgotten);
  const changes: Change[] = [];
  for (const [key, { sequence }] of standing) {
    const { low, high } = sipHash(utf8Of(key), salt);
    if (!forgotten.has((BigInt(high) << 32n) | BigInt(low))) continue;
    standing.delete(key);
    gone.set(key, sequence);
    changes.push({ kind: 'leave', partition: slice.partition, key, event: undefined });
  }
  return changes;
}

/** @throws TidewireError INVALID for an unknown kind. */
function stands(kind: EventKind): boolean {
  switch (kind) {
    case EventKind.PUT:
    case EventKind.ENTER:
    case EventKind.UPDATE:
      return true;
    case EventKind.REMOVE:
    case EventKind.LEAVE:
      return false;
    default:
      throw badFrame(`has an event of kind ${kind}`);
  }
}
