import { KEY_BYTES_MAX } from '@tidewire/core';
import { RecordLayout } from '@tidewire/core/threads';
import { doubled } from './doubled.js';
import { KeySpans } from './key-spans.js';
import type { KeyTopic } from './topic.js';

export const NO_TOPIC = 0;

/** Words of one topic. */
const Slot = {
  ID: 0,
  MAP: 1,
  HASH: 2,
  KEY_LENGTH: 3,
  /** Of its span. */
  KEY_AT: 4,
  /** The slot behind it in its chain, or 0. */
  NEXT_BY_HASH: 5,
  /** The same; of a slot that is not in use: the next free one. */
  NEXT_BY_ID: 6,
  WORDS: 7,
} as const;
type Link = typeof Slot.NEXT_BY_HASH | typeof Slot.NEXT_BY_ID;

const SLOTS_AT_FIRST = 64; // a power of two

/**
 * The topics of keys. Often every connection watches a key of its own, so they are numbers in a few
 * arrays: a topic takes some 60 bytes, as an object with its places in maps it took ten times that.
 */
export class KeyTopics {
  #slots: Int32Array = new Int32Array(SLOTS_AT_FIRST * Slot.WORDS);
  /** First slots of chains, as many as there are slots. */
  #byHash: Int32Array = new Int32Array(SLOTS_AT_FIRST);
  #byId: Int32Array = new Int32Array(SLOTS_AT_FIRST);
  readonly #keys: KeySpans = new KeySpans(RecordLayout.wordsOf(KEY_BYTES_MAX));
  #free = 0;
  #used = 1; // slot 0 is none

  /** Of two topics of one key the newer one is found. REQUIRES: none has its id. */
  add({ id, mapId, hash, keyLength, key }: KeyTopic): void {
    const slot = this.#claim();
    const slots = this.#slots;
    const at = slot * Slot.WORDS;
    slots[at + Slot.ID] = id;
    slots[at + Slot.MAP] = mapId;
    slots[at + Slot.HASH] = hash;
    slots[at + Slot.KEY_LENGTH] = keyLength;
    slots[at + Slot.KEY_AT] = this.#keys.add(key);
    this.#link(slot);
  }

  get(id: number): KeyTopic | undefined {
    const slot = this.#slotOf(id);
    if (slot === 0) return undefined;
    const at = slot * Slot.WORDS;
    const { words } = this.#keys;
    const keyAt = this.#slots[at + Slot.KEY_AT];
    const keyLength = this.#slots[at + Slot.KEY_LENGTH];
    return {
      kind: 'key',
      id,
      mapId: this.#slots[at + Slot.MAP],
      hash: this.#slots[at + Slot.HASH],
      keyLength,
      key: words.slice(keyAt, keyAt + RecordLayout.wordsOf(keyLength)),
    };
  }

  remove(id: number): void {
    const slot = this.#slotOf(id);
    if (slot === 0) return;
    const at = slot * Slot.WORDS;
    const slots = this.#slots;
    const mask = this.#byId.length - 1;
    unlink(slots, this.#byHash, slots[at + Slot.HASH] & mask, slot, Slot.NEXT_BY_HASH);
    unlink(slots, this.#byId, id & mask, slot, Slot.NEXT_BY_ID);
    const keyWords = RecordLayout.wordsOf(slots[at + Slot.KEY_LENGTH]);
    this.#keys.remove(slots[at + Slot.KEY_AT], keyWords);
    slots[at + Slot.NEXT_BY_ID] = this.#free;
    this.#free = slot;
  }

  /** The topic of the key of `record` in this map, or NO_TOPIC. */
  find(words: Int32Array, record: number, mapId: number): number {
    const slots = this.#slots;
    const hash = words[record];
    let slot = this.#byHash[hash & (this.#byHash.length - 1)];
    while (slot !== 0) {
      const at = slot * Slot.WORDS;
      const isOf = slots[at + Slot.HASH] === hash && slots[at + Slot.MAP] === mapId;
      if (isOf && this.#isKeyOf(words, record, at)) return slots[at + Slot.ID];
      slot = slots[at + Slot.NEXT_BY_HASH];
    }
    return NO_TOPIC;
  }

  #isKeyOf(words: Int32Array, record: number, at: number): boolean {
    const length = this.#slots[at + Slot.KEY_LENGTH];
    if (RecordLayout.keyLengthOf(words[record + RecordLayout.LENGTHS]) !== length) return false;
    const keyAt = this.#slots[at + Slot.KEY_AT];
    const index = RecordLayout.keyIndex(record);
    const keys = this.#keys.words;
    for (let i = 0; i < RecordLayout.wordsOf(length); i++)
      if (words[index + i] !== keys[keyAt + i]) return false;
    return true;
  }

  #slotOf(id: number): number {
    let slot = this.#byId[id & (this.#byId.length - 1)];
    while (slot !== 0 && this.#slots[slot * Slot.WORDS + Slot.ID] !== id)
      slot = this.#slots[slot * Slot.WORDS + Slot.NEXT_BY_ID];
    return slot;
  }

  #link(slot: number): void {
    const slots = this.#slots;
    const at = slot * Slot.WORDS;
    const mask = this.#byId.length - 1;
    const hashPlace = slots[at + Slot.HASH] & mask;
    const idPlace = slots[at + Slot.ID] & mask;
    slots[at + Slot.NEXT_BY_HASH] = this.#byHash[hashPlace];
    slots[at + Slot.NEXT_BY_ID] = this.#byId[idPlace];
    this.#byHash[hashPlace] = slot;
    this.#byId[idPlace] = slot;
  }

  #claim(): number {
    const slot = this.#free;
    if (slot !== 0) {
      this.#free = this.#slots[slot * Slot.WORDS + Slot.NEXT_BY_ID];
      return slot;
    }
    if (this.#used === this.#byId.length) this.#grow();
    return this.#used++;
  }

  /** REQUIRES: all slots are in use, so that each has its place in the chains. */
  #grow(): void {
    const older = inOrder(this.#slots, this.#byHash);
    this.#slots = doubled(this.#slots);
    this.#byHash = new Int32Array(2 * this.#byHash.length);
    this.#byId = new Int32Array(this.#byHash.length);
    for (const slot of older) this.#link(slot);
  }
}

/** All slots, of each chain the last one first: linked anew in this order, chains stay as they were. */
function inOrder(slots: Int32Array, byHash: Int32Array): number[] {
  const all: number[] = [];
  for (const first of byHash) {
    const chain: number[] = [];
    for (let slot = first; slot !== 0; slot = slots[slot * Slot.WORDS + Slot.NEXT_BY_HASH])
      chain.unshift(slot);
    all.push(...chain);
  }
  return all;
}

function unlink(
  slots: Int32Array,
  firsts: Int32Array,
  place: number,
  slot: number,
  link: Link,
): void {
  const next = slots[slot * Slot.WORDS + link];
  if (firsts[place] === slot) {
    firsts[place] = next;
    return;
  }
  let before = firsts[place];
  while (slots[before * Slot.WORDS + link] !== slot) before = slots[before * Slot.WORDS + link];
  slots[before * Slot.WORDS + link] = next;
}
