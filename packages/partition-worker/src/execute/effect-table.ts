import { assert, EFFECT_VALUE_BYTES_MAX, EFFECTS_SESSION_DIVISOR } from '@tidewire/core';
import { copyWords, EffectLayout, Operation, RecordLayout } from '@tidewire/core/threads';
import { ABSENT } from '../store/record-store.js';
import { Fullest, NO_FLOOR, SessionEffects } from './session-effects.js';

const { EFFECT_WORDS, FLOOR, FREE, HASH, IMAGE, MAP_KIND, REQUEST_ID, STATE, TOKEN } = EffectLayout;
const { TOKEN_WORDS, USED } = EffectLayout;
const { FLAG_EXPIRES, HEADER_WORDS, LENGTHS, NODE_FLAGS } = RecordLayout;
const VALUE_WORDS_MAX: number = RecordLayout.wordsOf(EFFECT_VALUE_BYTES_MAX);

/**
 * Remembers the effects of updates by (token, request id), in memory that outlives the worker.
 * The entries are the truth; how they are found is derived from them when a worker attaches.
 *
 * When they are all taken, the oldest effect of a session that has the most makes room: so nobody who
 * leaves effects behind stops the updates of others. The session's floor says what has been forgotten, so
 * that none of it is done twice. Every step of that is one word: a death between two loses nothing.
 */
export class EffectTable {
  /** The entries; an effect is the index of its image in them, ABSENT_EFFECT stands for none. */
  readonly words: Int32Array;
  readonly #sessionMax: number;
  readonly #free: number[] = [];
  /** By token. */
  readonly #sessions: Map<string, SessionEffects> = new Map();
  readonly #fullest: Fullest = new Fullest();

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
    this.#sessionMax = this.words.length / EFFECT_WORDS / EFFECTS_SESSION_DIVISOR;
    for (let entry = this.words.length - EFFECT_WORDS; entry >= 0; entry -= EFFECT_WORDS)
      this.#attach(entry);
    for (const { byRequest } of this.#sessions.values()) {
      const sorted = [...byRequest].sort(([a], [b]) => (a - b) | 0);
      byRequest.clear();
      for (const [requestId, entry] of sorted) byRequest.set(requestId, entry);
    }
  }

  /** No further effect of the session whose token lies at `at` can be remembered. */
  isFullFor(tokens: Int32Array, at: number): boolean {
    if (this.#free.length === 0 && this.#fullest.find() === undefined) return true;
    return (this.#sessions.get(tokenAt(tokens, at))?.byRequest.size ?? 0) >= this.#sessionMax;
  }

  get count(): number {
    return this.words.length / EFFECT_WORDS - this.#free.length;
  }

  /** Index of the image that the request left, or ABSENT_EFFECT. Its token lies at `token`. */
  find(request: Int32Array, at: number, token: number): number {
    const requestId = request[at + Operation.REQUEST_ID];
    const entry = this.#sessions.get(tokenAt(request, token))?.byRequest.get(requestId);
    return entry === undefined ? ABSENT_EFFECT : entry + IMAGE;
  }

  /** Whether the request, which has no effect as far as is known, may have had one that made room. */
  isBelowFloor(request: Int32Array, at: number, token: number): boolean {
    const floor = this.#sessions.get(tokenAt(request, token))?.floor ?? NO_FLOOR;
    if (floor === NO_FLOOR) return false;
    return ((request[at + Operation.REQUEST_ID] - this.words[floor + REQUEST_ID]) | 0) <= 0;
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
    const entry = this.#free.pop() ?? this.#makeRoom();
    const { words } = this;
    copyWords(request, token, words, entry + TOKEN, TOKEN_WORDS);
    words[entry + REQUEST_ID] = requestId;
    words[entry + MAP_KIND] = mapKindOf(request, at);
    words[entry + HASH] = request[at + Operation.HASH];
    writeImage(words, entry + IMAGE, records, record);
    words[entry + STATE] = USED; // last: a death before leaves a free entry
    this.#list(this.#sessionOf(request, token), requestId, entry);
  }

  /** The client has the answers of all requests below `lowestPending`. */
  forgetBelow(tokens: Int32Array, at: number, lowestPending: number): void {
    const session = this.#sessions.get(tokenAt(tokens, at));
    if (session === undefined) return;
    const { byRequest, floor } = session;
    if (floor !== NO_FLOOR && ((this.words[floor + REQUEST_ID] - lowestPending) | 0) < 0) {
      session.floor = NO_FLOOR;
      this.#release(floor);
    }
    // Request ids grow, and a Map keeps the order of insertion: the old ones come first.
    for (const [requestId, entry] of byRequest) {
      if (((requestId - lowestPending) | 0) >= 0) break;
      byRequest.delete(requestId);
      this.#release(entry);
    }
    this.#fullest.onChange(session);
  }

  /** The session will not come back. */
  forget(tokens: Int32Array, at: number): void {
    const token = tokenAt(tokens, at);
    const session = this.#sessions.get(token);
    if (session === undefined) return;
    for (const entry of session.byRequest.values()) this.#release(entry);
    if (session.floor !== NO_FLOOR) this.#release(session.floor);
    this.#sessions.delete(token);
    session.byRequest.clear();
    session.floor = NO_FLOOR;
    this.#fullest.onChange(session);
  }

  #attach(entry: number): void {
    const { words } = this;
    if (words[entry + STATE] === FREE) {
      this.#free.push(entry);
      return;
    }
    const session = this.#sessionOf(words, entry + TOKEN);
    if (words[entry + STATE] === USED) this.#list(session, words[entry + REQUEST_ID], entry);
    else session.floor = entry;
    this.#fullest.onChange(session);
  }

  /** Forgets effects of the session that has the most, and returns a free entry. */
  #makeRoom(): number {
    const session = this.#fullest.find();
    assert(session !== undefined, 'an update is refused while no effect can be remembered');
    if (session.floor === NO_FLOOR) {
      const [, entry] = takeOldest(session);
      this.words[entry + STATE] = FLOOR; // it has its own request id
      session.floor = entry;
    }
    const [requestId, entry] = takeOldest(session);
    const floorId = session.floor + REQUEST_ID;
    if (((requestId - this.words[floorId]) | 0) > 0) this.words[floorId] = requestId;
    this.words[entry + STATE] = FREE; // last: until then it is found
    this.#fullest.onChange(session);
    return entry;
  }

  #release(entry: number): void {
    this.words[entry + STATE] = FREE;
    this.#free.push(entry);
  }

  #sessionOf(tokens: Int32Array, at: number): SessionEffects {
    const token = tokenAt(tokens, at);
    const known = this.#sessions.get(token);
    if (known !== undefined) return known;
    const session = new SessionEffects();
    this.#sessions.set(token, session);
    return session;
  }

  #list(session: SessionEffects, requestId: number, entry: number): void {
    session.byRequest.set(requestId, entry);
    this.#fullest.onChange(session);
  }
}

function takeOldest({ byRequest }: SessionEffects): [requestId: number, entry: number] {
  const [oldest] = byRequest; // request ids grow
  assert(oldest !== undefined, 'only what a session has to spare makes room');
  byRequest.delete(oldest[0]);
  return oldest;
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
