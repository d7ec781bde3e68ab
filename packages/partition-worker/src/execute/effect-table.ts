import { assert, EFFECT_VALUE_BYTES_MAX, EFFECTS_SESSION_DIVISOR } from '@tidewire/core';
import { copyWords, EffectLayout, Operation, RecordLayout } from '@tidewire/core/threads';
import { ABSENT } from '../store/record-store.js';

const { EFFECT_WORDS, FREE, HASH, IMAGE, MAP_KIND, REQUEST_ID, STATE, TOKEN, TOKEN_WORDS, USED } =
  EffectLayout;
const { FLAG_EXPIRES, HEADER_WORDS, LENGTHS, NODE_FLAGS } = RecordLayout;
const VALUE_WORDS_MAX: number = RecordLayout.wordsOf(EFFECT_VALUE_BYTES_MAX);

/**
 * Remembers the effects of updates by (token, request id), in memory that outlives the worker.
 * The entries are the truth; how they are found is derived from them when a worker attaches.
 */
export class EffectTable {
  /** The entries; an effect is the index of its image in them, ABSENT_EFFECT stands for none. */
  readonly words: Int32Array;
  readonly #sessionMax: number;
  readonly #free: number[] = [];
  /** Token → request id → entry. */
  readonly #entries: Map<string, Map<number, number>> = new Map();

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
    this.#sessionMax = this.words.length / EFFECT_WORDS / EFFECTS_SESSION_DIVISOR;
    for (let entry = this.words.length - EFFECT_WORDS; entry >= 0; entry -= EFFECT_WORDS)
      if (this.words[entry + STATE] === USED)
        this.#list(tokenAt(this.words, entry + TOKEN), this.words[entry + REQUEST_ID], entry);
      else this.#free.push(entry);
    for (const [token, effects] of this.#entries)
      this.#entries.set(token, new Map([...effects].sort(([a], [b]) => (a - b) | 0)));
  }

  /** No further effect of the session whose token lies at `at` can be remembered. */
  isFullFor(tokens: Int32Array, at: number): boolean {
    if (this.#free.length === 0) return true;
    return (this.#entries.get(tokenAt(tokens, at))?.size ?? 0) >= this.#sessionMax;
  }

  get count(): number {
    return this.words.length / EFFECT_WORDS - this.#free.length;
  }

  /** Index of the image that the request left, or ABSENT_EFFECT. Its token lies at `token`. */
  find(request: Int32Array, at: number, token: number): number {
    const requestId = request[at + Operation.REQUEST_ID];
    const entry = this.#entries.get(tokenAt(request, token))?.get(requestId);
    return entry === undefined ? ABSENT_EFFECT : entry + IMAGE;
  }

  /** Whether the effect is of the same kind of operation on the same key: an id alone may be used again. */
  isOf(effect: number, request: Int32Array, at: number): boolean {
    const entry = effect - IMAGE;
    return (
      this.words[entry + MAP_KIND] === mapKindOf(request, at) &&
      this.words[entry + HASH] === request[at + Operation.HASH]
    );
  }

  /** Remembers the record, or ABSENT, as the request's effect, once. REQUIRES: not full, or known already. */
  remember(
    request: Int32Array,
    at: number,
    token: number,
    records: Int32Array,
    record: number,
  ): void {
    if (this.find(request, at, token) !== ABSENT_EFFECT) return; // said again after a death
    const requestId = request[at + Operation.REQUEST_ID];
    const entry = this.#free.pop();
    assert(entry !== undefined, 'an update is refused while no effect can be remembered');
    const { words } = this;
    copyWords(request, token, words, entry + TOKEN, TOKEN_WORDS);
    words[entry + REQUEST_ID] = requestId;
    words[entry + MAP_KIND] = mapKindOf(request, at);
    words[entry + HASH] = request[at + Operation.HASH];
    writeImage(words, entry + IMAGE, records, record);
    words[entry + STATE] = USED; // last: a death before leaves a free entry
    this.#list(tokenAt(request, token), requestId, entry);
  }

  /** The client has the answers of all requests below `lowestPending`. */
  forgetBelow(tokens: Int32Array, at: number, lowestPending: number): void {
    const effects = this.#entries.get(tokenAt(tokens, at));
    if (effects === undefined) return;
    // Request ids grow, and a Map keeps the order of insertion: the old ones come first.
    for (const [requestId, entry] of effects) {
      if (((requestId - lowestPending) | 0) >= 0) break;
      effects.delete(requestId);
      this.#release(entry);
    }
  }

  /** The session will not come back. */
  forget(tokens: Int32Array, at: number): void {
    const token = tokenAt(tokens, at);
    for (const entry of this.#entries.get(token)?.values() ?? []) this.#release(entry);
    this.#entries.delete(token);
  }

  #release(entry: number): void {
    this.words[entry + STATE] = FREE;
    this.#free.push(entry);
  }

  #list(token: string, requestId: number, entry: number): void {
    const effects = this.#entries.get(token);
    if (effects === undefined) this.#entries.set(token, new Map([[requestId, entry]]));
    else effects.set(requestId, entry);
  }
}

/** What `find` returns for a request that had no effect, as far as is known. */
export const ABSENT_EFFECT = 0;

/** True unless the session has no token: then a repeated request is not recognised. */
export function hasToken(words: Int32Array, at: number): boolean {
  return (words[at] | words[at + 1] | words[at + 2] | words[at + 3]) !== 0;
}

function tokenAt(words: Int32Array, at: number): string {
  return `${words[at]},${words[at + 1]},${words[at + 2]},${words[at + 3]}`;
}

/** Map and kind, without the flags. */
function mapKindOf(request: Int32Array, at: number): number {
  return request[at + Operation.MAP_KIND_FLAGS] & ~0xff;
}

/** The record's image without its key, and without a value that is too long. */
function writeImage(words: Int32Array, at: number, records: Int32Array, record: number): void {
  if (record === ABSENT) {
    words.fill(0, at, at + HEADER_WORDS); // no record has the sequence 0
    return;
  }
  copyWords(records, record, words, at, HEADER_WORDS);
  const bytes = RecordLayout.valueLengthOf(records[record + LENGTHS]);
  const valueLength = RecordLayout.wordsOf(bytes) > VALUE_WORDS_MAX ? 0 : bytes;
  words[at + LENGTHS] = RecordLayout.packLengths(0, valueLength);
  const value = RecordLayout.valueIndex(records, record);
  const expiry = records[record + NODE_FLAGS] & FLAG_EXPIRES; // the words that it takes
  const count = expiry + RecordLayout.wordsOf(valueLength);
  copyWords(records, value - expiry, words, at + HEADER_WORDS, count);
}
