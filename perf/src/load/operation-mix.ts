import { type DialectOptions, OUTCOME_FOUND } from './dialect.js';
import type { KeySource } from './distribution.js';
import type { LoadPlan } from './plan.js';
import { type Random, seededRandom } from './random.js';

/** As many as a ledger books; open requests never share an entry. */
const ENTRIES = 8192;
const NONE = -1;

/** Decides what a connection does next: get or put, and of which key. */
export class OperationMix {
  readonly #getShare: number;
  readonly #modifyShare: number;
  readonly #inserts: boolean;
  readonly #keys: KeySource;
  readonly #random: Random;
  /** Keys of the open gets that a put follows, by request. */
  readonly #modified: Int32Array;
  /** Keys that were read and are to be written: a ring. */
  readonly #due: Int32Array;
  #dueFrom = 0;
  #dueTo = 0;
  #isGet = false;

  constructor(plan: LoadPlan, options: Pick<DialectOptions, 'keys' | 'connection'>) {
    this.#getShare = plan.getShare;
    this.#modifyShare = plan.modifyShare;
    this.#inserts = plan.distribution === 'latest';
    this.#keys = options.keys;
    this.#random = seededRandom(plan.seed + options.connection);
    this.#modified = new Int32Array(plan.modifyShare > 0 ? ENTRIES : 0).fill(NONE);
    this.#due = new Int32Array(plan.modifyShare > 0 ? ENTRIES : 0);
  }

  /** Begins a frame: whether it has gets in it, or else puts. */
  next(): boolean {
    this.#isGet =
      this.#dueFrom === this.#dueTo &&
      this.#getShare > 0 &&
      (this.#getShare === 1 || this.#random() < this.#getShare);
    return this.#isGet;
  }

  /** The key of an operation of the frame. */
  keyOf(request: number): number {
    if (this.#dueFrom !== this.#dueTo) return this.#due[this.#dueFrom++ & (ENTRIES - 1)];
    if (!this.#isGet && this.#inserts) return this.#keys.insert();
    const key = this.#keys.next();
    if (this.#isGet && this.#modifyShare > 0 && this.#random() < this.#modifyShare)
      this.#modified[request & (ENTRIES - 1)] = key;
    return key;
  }

  /** A get that found its value is followed by its put, if one is meant to follow. */
  onAnswer(request: number, outcome: number): void {
    if (this.#modifyShare === 0) return;
    const key = this.#modified[request & (ENTRIES - 1)];
    if (key === NONE) return;
    this.#modified[request & (ENTRIES - 1)] = NONE;
    if (outcome === OUTCOME_FOUND) this.#due[this.#dueTo++ & (ENTRIES - 1)] = key;
  }
}
