import { PARTITIONS, partitionOf } from '@tidewire/core';
import { RecordLayout } from '@tidewire/core/threads';
import { ABSENT, FULL, type RecordStore, SCAN_END } from '#lib/store/record-store.js';
import { checkStore } from './store-check.js';
import {
  describe,
  findKey,
  hashesIn,
  imageOf,
  type Key,
  putKey,
  randomFrom,
  removeKey,
  stateAfter,
  stateOf,
  type Write,
} from './store-fixture.js';

const BUSY_PARTITIONS = [3, 5];
const CARRY_START = 2 ** 32 - 700;
const CHECK_EVERY = 500;
/** Changes neither home slot nor tag of an index hash in map 0. */
const SAME_HOME_MAP = 1 << 14;

/** Makes a store over the same arena again; with a death on the way if it likes. */
export interface ModelOptions {
  readonly seed: number;
  readonly operations: number;
  readonly keys: number;
  /** Longest ordinary value, and one in `bigOdds` values is up to 1 MiB long (0: none). */
  readonly valueBytes: number;
  readonly bigOdds: number;
  readonly journalEntries: number;
  open(): RecordStore;
  /** Runs one act of the store; true if the worker died in it, and was replaced through `open`. */
  run(act: () => void, random: (below: number) => number): boolean;
}

interface Entry {
  readonly state: string;
  readonly ms: number;
  readonly sequence: number;
}

/** Random operations on a store beside the same ones on a Map. */
export class StoreModel {
  store: RecordStore;
  deaths = 0;
  kept = 0;
  refused = 0;
  readonly #options: ModelOptions;
  readonly #random: (below: number) => number;
  readonly #keys: readonly Key[];
  readonly #entries = new Map<Key, Entry>();
  readonly #journalFrom = new Float64Array(PARTITIONS);
  #ms = 1_700_000_000_000;
  #position = 0;

  constructor(options: ModelOptions) {
    this.#options = options;
    this.#random = randomFrom(options.seed);
    this.#keys = makeKeys(options.keys, this.#random);
    this.store = options.open();
    for (const partition of BUSY_PARTITIONS) {
      this.store.startPartition(partition, CARRY_START);
      this.#journalFrom[partition] = CARRY_START;
    }
  }

  run(): void {
    for (let i = 1; i <= this.#options.operations; i++) {
      this.#operation();
      if (i % CHECK_EVERY === 0) this.check();
    }
    this.check();
  }

  check(): void {
    checkStore(this.store);
    for (const key of this.#keys) this.#expect(key, this.#entries.get(key)?.state ?? 'absent');
    this.#checkScan();
    for (const partition of BUSY_PARTITIONS) this.#checkChanges(partition);
  }

  #operation(): void {
    const random = this.#random;
    const key = this.#keys[random(random(2) === 0 ? this.#keys.length : 400) % this.#keys.length];
    const choice = random(100);
    if (choice < 72) this.#put(key);
    else if (choice < 90) this.#remove(key);
    else if (choice < 95) this.#restore(key);
    else this.#expect(key, this.#entries.get(key)?.state ?? 'absent');
  }

  #put(key: Key): void {
    const write = this.#write();
    this.#position = (this.#position + 40) | 0;
    const position = this.#position;
    const sequence = this.store.sequence(partitionOf(key.hash)) + 1;
    const oldRecord = findKey(this.store, key);
    const old = oldRecord === ABSENT ? '' : imageText(this.store.words, oldRecord);
    const after = { state: stateAfter(key, write, sequence), ms: write.ms, sequence };
    let result = ABSENT;
    const died = this.#act(() => {
      result = putKey(this.store, key, write, position);
    });
    if (!died && result === FULL) {
      this.refused++;
      this.#expect(key, this.#entries.get(key)?.state ?? 'absent');
      return;
    }
    if (died) {
      const settled = this.store.settled(position);
      if ((stateOf(this.store, key) === after.state) !== (settled !== ABSENT))
        throw new Error('settled is wrong');
      if (this.store.settled(position + 40) !== ABSENT) throw new Error('settled a later one');
      if (settled === ABSENT) return this.#expect(key, this.#entries.get(key)?.state ?? 'absent');
      const replaced = this.store.settledOld;
      if ((replaced === ABSENT ? '' : imageText(this.store.words, replaced)) !== old)
        throw new Error('the old image is not whole');
      this.kept++;
    }
    this.#entries.set(key, after);
    this.#expect(key, after.state);
    if (this.store.sequence(partitionOf(key.hash)) !== sequence) throw new Error('sequence');
  }

  #remove(key: Key): void {
    const died = this.#act(() => removeKey(this.store, key));
    if (!died || stateOf(this.store, key) === 'absent') this.#entries.delete(key);
    this.#expect(key, this.#entries.get(key)?.state ?? 'absent');
  }

  /** A record image out of the database, newer than what is there or older. */
  #restore(key: Key): void {
    const partition = partitionOf(key.hash);
    const entry = this.#entries.get(key);
    const isOlder = entry !== undefined && this.#random(2) === 0;
    const write = { ...this.#write(), ms: isOlder ? entry.ms - 1 : ++this.#ms };
    const sequence = this.store.sequence(partition) + 1 + this.#random(3);
    const image = imageOf(key, write, sequence);
    const died = this.#act(() => this.store.restore(image, 0));
    const after = isOlder ? entry.state : describe(image, 0);
    if (died && stateOf(this.store, key) !== after)
      this.#expect(key, entry === undefined ? 'absent' : entry.state);
    if (this.store.restore(image, 0) === FULL) this.refused++;
    else {
      this.#expect(key, after);
      if (!isOlder) this.#entries.set(key, { state: after, ms: write.ms, sequence });
      if (this.store.sequence(partition) !== sequence) throw new Error('restored sequence');
    }
    this.#journalFrom[partition] = sequence;
  }

  #write(): Write {
    const random = this.#random;
    const { valueBytes, bigOdds } = this.#options;
    const isBig = bigOdds > 0 && random(bigOdds) === 0;
    const isLong = random(10) === 0;
    this.#ms += random(3) + 1;
    return {
      ms: this.#ms,
      counter: random(65_536),
      node: random(1 << 24),
      kind: random(4),
      length: isBig ? random((1 << 20) + 1) : random(isLong ? valueBytes : 160),
      seed: random(0x7fffffff),
      expiresAt: random(8) === 0 ? this.#ms + 1 + random(2 ** 31) : 0,
      isTombstone: random(10) === 0,
    };
  }

  #act(act: () => void): boolean {
    if (!this.#options.run(act, this.#random)) return false;
    this.store = this.#options.open();
    this.deaths++;
    checkStore(this.store);
    return true;
  }

  #expect(key: Key, state: string): void {
    const actual = stateOf(this.store, key);
    if (actual !== state) throw new Error(`expected ${state}, found ${actual}`);
  }

  #checkScan(): void {
    let count = 0;
    const visit = (): void => void count++;
    for (let partition = 0; partition < PARTITIONS; partition++)
      for (let cursor = 0; cursor < SCAN_END; )
        cursor = this.store.scanSlice(partition, cursor, visit);
    if (count !== this.#entries.size) throw new Error(`scan found ${count} records`);
  }

  /** The journal names exactly the records above a sequence, or says that it cannot. */
  #checkChanges(partition: number): void {
    const last = this.store.sequence(partition);
    const from = Math.max(0, last - this.#random(this.#options.journalEntries + 20));
    const found: number[] = [];
    const reaches = this.store.changesSince(partition, from, (record) =>
      found.push(RecordLayout.sequenceOf(this.store.words, record)),
    );
    const covered = last - from < this.#options.journalEntries;
    const expected = from === last || (covered && from >= this.#journalFrom[partition]);
    if (reaches !== expected) throw new Error('reach of the journal');
    const wanted = [...this.#entries]
      .filter(([key, entry]) => partitionOf(key.hash) === partition && entry.sequence > from)
      .map(([, entry]) => entry.sequence)
      .sort((left, right) => left - right);
    if (reaches && found.join() !== wanted.join()) throw new Error('changes since');
  }
}

/** Many short keys, some long ones, the same hash with other keys and in other maps. */
function makeKeys(count: number, random: (below: number) => number): Key[] {
  const keys: Key[] = [];
  const hashes = BUSY_PARTITIONS.flatMap((partition) => hashesIn(partition, count / 2 - 40));
  hashes.push(-0x80000000, 0, ...Array.from({ length: 38 }, () => random(0x7fffffff)));
  for (const hash of hashes) {
    const length = keys.length % 50 === 0 ? 1 + random(1020) : 1 + random(40);
    const words = new Int32Array((length + 3) >> 2);
    for (let i = 0; i < words.length; i++) words[i] = random(0x7fffffff);
    if ((length & 3) !== 0) words[words.length - 1] &= (1 << ((length & 3) * 8)) - 1;
    keys.push({ hash, mapId: random(3) === 0 ? 7 : 0, length, words });
  }
  for (let i = 0; i < 40; i++) {
    const { hash, mapId, length, words } = keys[i * 6];
    const other = words.slice();
    other[0] ^= 1;
    keys.push({ hash, mapId, length, words: other });
    keys.push({ hash, mapId: SAME_HOME_MAP, length, words });
    keys.push({ hash, mapId, length: length + 4, words: Int32Array.of(...words, 0) });
  }
  return keys;
}

/** A record image but for its first word, which a freed block loses. */
function imageText(words: Int32Array, record: number): string {
  return words.slice(record + 1, record + RecordLayout.imageWords(words, record)).join();
}
