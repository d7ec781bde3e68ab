import { sipHash } from '@tidewire/core';
import { type Event, EventKind, type Slice, SliceKind } from '@tidewire/schemas';

const text = new TextEncoder();

export interface State {
  readonly sequence: bigint;
  readonly value: string;
  readonly partition: number;
}

/** What a subscription's client holds, by the rules of docs/subscriptions.md and nothing else. */
export class ReferenceView {
  readonly states = new Map<string, State>();
  /** Keys of a partition met since its SNAPSHOT began. */
  readonly #met = new Map<number, Set<string>>();
  salt: Uint8Array = new Uint8Array(16);

  /** A live event: what is not above what is held is dropped. */
  onEvent(event: Event): void {
    if (!this.isStale(event)) this.#apply(event);
  }

  isStale({ key, sequence }: Event): boolean {
    const held = this.states.get(key);
    return held !== undefined && sequence <= held.sequence;
  }

  /** A slice: how records stand, newer than what came before or the same. */
  onSlice({ kind, partition, begins, ends, events, forgotten }: Slice): void {
    const replaces = kind !== SliceKind.CHANGES;
    if (replaces && begins) this.#met.set(partition, new Set());
    for (const event of events) this.#apply(event);
    for (const [key, state] of this.states)
      if (state.partition === partition && forgotten.includes(this.#hash(key)))
        this.states.delete(key);
    if (replaces && ends) this.#replace(partition);
  }

  /** A snapshot that was cut off begins anew. */
  onDisconnect(): void {
    this.#met.clear();
  }

  #apply({ kind, key, partition, sequence, value }: Event): void {
    if (kind === EventKind.REMOVE || kind === EventKind.LEAVE) this.states.delete(key);
    else {
      this.states.set(key, { partition, sequence, value: Buffer.from(value).toString() });
      this.#met.get(partition)?.add(key);
    }
  }

  #replace(partition: number): void {
    const met = this.#met.get(partition);
    if (met === undefined) throw new Error(`the snapshot of ${partition} ends and never began`);
    this.#met.delete(partition);
    for (const [key, state] of this.states)
      if (state.partition === partition && !met.has(key)) this.states.delete(key);
  }

  #hash(key: string): bigint {
    const { low, high } = sipHash(text.encode(key), this.salt);
    return (BigInt(high) << 32n) | BigInt(low);
  }
}
