import { hashOf } from '@tidewire/core';
import { type Interest, interestName, keyNamed } from './interest.js';

/**
 * What changes can concern, as its workers know it. There may be very many of these, most about a key
 * that somebody watches: so the name has the key, and nothing else does.
 */
export class KnownTopic implements Interest {
  readonly id: number;
  readonly mapId: number;
  /** See `interestName`. */
  readonly name: string;
  readonly predicate: Uint8Array;
  readonly isLinear: boolean;
  readonly withOld: boolean;
  readonly workers: readonly number[];
  /** Workers whose marker has not come yet; undefined: none. */
  #awaited: Set<number> | undefined;

  constructor(id: number, interest: Interest, workers: readonly number[]) {
    this.id = id;
    this.mapId = interest.mapId;
    this.name = interestName(interest);
    this.predicate = interest.predicate;
    this.isLinear = interest.isLinear;
    this.withOld = interest.withOld;
    this.workers = workers;
    this.#awaited = new Set(workers);
  }

  get key(): Uint8Array {
    return keyNamed(this.name);
  }

  get hash(): number {
    return hashOf(this.key);
  }

  /** Whatever is said of it from now on is all there is. */
  get isLive(): boolean {
    return this.#awaited === undefined;
  }

  /** A worker's marker has come. True: it is live from now on. */
  onSubscribed(worker: number): boolean {
    const isNew = this.#awaited?.delete(worker) ?? false;
    if (!isNew || this.#awaited?.size !== 0) return false;
    this.#awaited = undefined;
    return true;
  }
}
