import {
  hashOf,
  KEY_BYTES_MAX,
  MAP_BYTES_MAX,
  PARTITIONS,
  partitionOf,
  VALUE_BYTES_MAX,
} from '@tidewire/core';
import {
  type CollectionMark,
  Doorbell,
  MAPS_FULL,
  MapTable,
  NO_ROOM,
  ownerOf,
  RecordLayout,
  RecoveryKind,
  RecoveryPartition,
  RingProducer,
  recordWords,
  type SharedMemory,
  storeWatermark,
  WorkerControl,
  type WorkerMemory,
} from '@tidewire/core/threads';
import { type ImageKey, imageWordsOf, writeImage } from './record-image.js';
import { type Store, type StoredRecord, StoreError } from './store.js';

/** What recovery found. */
export interface Recovered {
  readonly records: number;
  /** The highest stamp of all records, collected tombstones included. */
  readonly ms: number;
  readonly counter: number;
  /** See PartitionFacts. */
  readonly bases: ReadonlyMap<number, Float64Array>;
}

const NOTHING_COLLECTED: Omit<CollectionMark, 'partition'> = {
  sequence: 0,
  ms: 0,
  counter: 0,
  node: 0,
};

/** The owner said stop before the start had ended. Nothing is unflushed. */
export class StoppedError extends Error {
  override name = 'StoppedError';
}

/** Waits until `hasRoom` may have changed. The thread's event loop goes on meanwhile. */
export type Idle = (hasRoom: () => boolean) => Promise<void>;

/**
 * Streams the store into the workers before anything else may happen to their memory: record images
 * through the recovery rings, then for each partition the sequence that it goes on from, which is
 * also its flushed one, then an end mark.
 *
 * Runs in the persistence thread, which is the writer of the map table until it has ended.
 */
export class Recovery {
  readonly #maps: MapTable;
  readonly #mapIds: Map<string, number> = new Map();
  readonly #targets: readonly Target[];
  readonly #idle: Idle;
  readonly #isStopping: () => boolean;
  readonly #sequences: Float64Array = new Float64Array(PARTITIONS);
  readonly #keyBytes: Uint8Array = new Uint8Array(KEY_BYTES_MAX * 3);
  readonly #encoder = new TextEncoder();
  #records = 0;
  #ms = 0;
  #counter = 0;

  constructor(options: { memory: SharedMemory; idle: Idle; isStopping: () => boolean }) {
    const { memory } = options;
    this.#maps = new MapTable(memory.mapTable);
    this.#targets = memory.workers.map((worker) => new Target(worker));
    this.#idle = options.idle;
    this.#isStopping = options.isStopping;
  }

  /** Resolves once the workers have read everything. Rejects with StoreError or StoppedError. */
  async run(store: Store, onProgress: (records: number) => void): Promise<Recovered> {
    const { sequences, bases, collected } = await store.recover(async (records) => {
      this.#requireGoing();
      for (const record of records) while (!this.#maybePut(record)) await this.#roomFor(record);
      for (const target of this.#targets) target.publish();
      onProgress(this.#records);
    });
    for (const { partition, sequence } of sequences) this.#raise(partition, sequence);
    const collectedOf = new Map(collected.map((each) => [each.partition, each]));
    for (let partition = 0; partition < PARTITIONS; partition++)
      await this.#endOf(partition, collectedOf.get(partition) ?? NOTHING_COLLECTED);
    for (const target of this.#targets) await this.#claim(target, RecoveryKind.END, 0);
    for (const target of this.#targets) target.publish();
    for (const target of this.#targets)
      while (!target.producer.isDrained()) await this.#wait(() => target.producer.isDrained());
    return { records: this.#records, ms: this.#ms, counter: this.#counter, bases };
  }

  /** False if the ring has no room. */
  #maybePut(record: StoredRecord): boolean {
    const key = this.#keyOf(record);
    const target = this.#targetOf(record);
    const words = imageWordsOf(record, key.keyLength);
    const at = target.producer.claim(RecoveryKind.RECORD, words);
    if (at === NO_ROOM) return false;
    writeImage(record, key, target, at);
    this.#raise(record.partition, record.sequence);
    this.#records++;
    this.#meet(record);
    return true;
  }

  #meet({ ms, counter }: { readonly ms: number; readonly counter: number }): void {
    if (ms < this.#ms || (ms === this.#ms && counter <= this.#counter)) return;
    this.#ms = ms;
    this.#counter = counter;
  }

  async #roomFor(record: StoredRecord): Promise<void> {
    const target = this.#targetOf(record);
    const words = imageWordsOf(record, this.#keyOf(record).keyLength);
    target.publish();
    await this.#wait(() => target.hasRoom(words));
  }

  #targetOf({ partition }: StoredRecord): Target {
    return this.#targets[ownerOf(partition, this.#targets.length)];
  }

  #keyOf(record: StoredRecord): ImageKey {
    const { written, read } = this.#encoder.encodeInto(record.key, this.#keyBytes);
    const hash = hashOf(this.#keyBytes, 0, written);
    if (
      read < record.key.length ||
      written > KEY_BYTES_MAX ||
      record.value.length > VALUE_BYTES_MAX ||
      record.partition !== partitionOf(hash)
    )
      throw new StoreError(
        'FOREIGN',
        `The table tidewire.record is damaged at map ${record.map}, key ${record.key}.`,
      );
    return { mapId: this.#mapIdOf(record.map), hash, keyBytes: this.#keyBytes, keyLength: written };
  }

  #mapIdOf(name: string): number {
    const known = this.#mapIds.get(name);
    if (known !== undefined) return known;
    const bytes = this.#encoder.encode(name);
    const isName = bytes.length >= 1 && bytes.length <= MAP_BYTES_MAX;
    const id = isName ? this.#maps.register(bytes, 0, bytes.length) : MAPS_FULL;
    if (id === MAPS_FULL)
      throw new StoreError('FOREIGN', `The table holds too many maps, or a wrong one: ${name}.`);
    this.#mapIds.set(name, id);
    return id;
  }

  #raise(partition: number, sequence: number): void {
    if (sequence > this.#sequences[partition]) this.#sequences[partition] = sequence;
  }

  async #endOf(partition: number, collected: Omit<CollectionMark, 'partition'>): Promise<void> {
    const sequence = this.#sequences[partition];
    const target = this.#targets[ownerOf(partition, this.#targets.length)];
    storeWatermark(target.control, WorkerControl.flushedIndex(partition), sequence);
    const at = await this.#claim(target, RecoveryKind.PARTITION, RecoveryPartition.WORDS);
    target.words[at + RecoveryPartition.PARTITION] = partition;
    target.words[at + RecoveryPartition.SEQUENCE_LOW] = RecordLayout.lowWord(sequence);
    target.words[at + RecoveryPartition.SEQUENCE_HIGH] = RecordLayout.highWord(sequence);
    this.#meet(collected); // a tombstone that is gone had a stamp, too
    const { ms, counter, node } = collected;
    target.words[at + RecoveryPartition.GC_SEQUENCE_LOW] = RecordLayout.lowWord(collected.sequence);
    target.words[at + RecoveryPartition.GC_SEQUENCE_HIGH] = RecordLayout.highWord(
      collected.sequence,
    );
    target.words[at + RecoveryPartition.GC_MS_LOW] = RecordLayout.lowWord(ms);
    target.words[at + RecoveryPartition.GC_MS_HIGH_COUNTER] =
      (RecordLayout.highWord(ms) << 16) | counter;
    target.words[at + RecoveryPartition.GC_NODE] = node;
  }

  /** Claims, waiting for room until told to stop: a worker that was given up makes none. */
  async #claim(target: Target, kind: number, words: number): Promise<number> {
    for (;;) {
      const at = target.producer.claim(kind, words);
      if (at !== NO_ROOM) return at;
      target.publish();
      await this.#wait(() => target.hasRoom(words));
    }
  }

  async #wait(isOver: () => boolean): Promise<void> {
    this.#requireGoing();
    await this.#idle(isOver);
  }

  #requireGoing(): void {
    if (this.#isStopping()) throw new StoppedError('Told to stop during the start.');
  }
}

/** The recovery ring of one worker. */
class Target {
  readonly producer: RingProducer;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly control: Int32Array;
  readonly #doorbell: Doorbell;

  constructor(memory: WorkerMemory) {
    this.producer = new RingProducer(memory.recoveryRing);
    this.words = this.producer.words;
    this.bytes = new Uint8Array(memory.recoveryRing);
    this.control = new Int32Array(memory.control);
    this.#doorbell = new Doorbell(this.control, WorkerControl.WORKER_DOORBELL);
  }

  /** True if a claim of a body will find room, whatever padding the ring's end may ask for. */
  hasRoom(bodyWords: number): boolean {
    return this.producer.hasRoom(2 * recordWords(bodyWords)); // padding is shorter than the record
  }

  publish(): void {
    this.producer.commit();
    this.#doorbell.ring();
  }
}
