import { hashOf, PARTITIONS } from '@tidewire/core';
import {
  bytesToWords,
  type CollectionMark,
  loadWord,
  MapTable,
  ownerOf,
  RecordLayout,
  RecoveryKind,
  RecoveryPartition,
  RingProducer,
  readCollectionMarks,
  storeWatermark,
  storeWord,
  WorkerControl,
} from '@tidewire/core/threads';
import type { TestBench } from './bench.js';
import type { Change } from './simulated-history.js';

const text = new TextEncoder();
const COUNTER_BITS = 16n;
const COUNTER_MASK = 0xffff;

/** What persistence and its database are to a bench, stepped by hand: rows, bases, marks, recovery. */
export class SimulatedDatabase {
  /** Of each partition, the sequence up to which everything is in the rows. */
  readonly flushed: Float64Array = new Float64Array(PARTITIONS);
  /** Epoch → what `keepBases` kept in it. */
  readonly bases: Map<number, Float64Array> = new Map();
  /** Tombstones forgotten so far. */
  forgotten = 0;
  readonly #map: string;
  readonly #rows: Map<string, Change> = new Map();
  readonly #marks: Map<number, CollectionMark> = new Map();

  constructor(map: string) {
    this.#map = map;
  }

  /** Takes in the changes of the partitions that are `wanted`. Returns the others. */
  flush(
    bench: TestBench,
    changes: readonly Change[],
    isWanted: (partition: number) => boolean,
  ): Change[] {
    const others: Change[] = [];
    for (const change of changes) {
      const { key, partition, sequence } = change;
      if (isWanted(partition)) {
        this.#rows.set(key, change);
        this.flushed[partition] = Number(sequence);
      } else others.push(change);
    }
    this.#tellFlushed(bench);
    return others;
  }

  keepBases(epoch: number): void {
    this.bases.set(epoch, this.flushed.slice());
  }

  /** Knows what workers propose to collect, tells them so, and forgets the rows, or leaves that for later. */
  collect(bench: TestBench, forgets: boolean): void {
    for (const { control: buffer } of bench.memory.workers) {
      const control = new Int32Array(buffer);
      const proposed = loadWord(control, WorkerControl.GC_PROPOSED);
      if (proposed === loadWord(control, WorkerControl.GC_COMMITTED)) continue;
      for (const mark of readCollectionMarks(control)) this.#marks.set(mark.partition, mark);
      storeWord(control, WorkerControl.GC_COMMITTED, proposed);
    }
    if (!forgets) return;
    for (const [key, row] of this.#rows)
      if (isCovered(row, this.#marks.get(row.partition)) && this.#rows.delete(key))
        this.forgotten++;
  }

  /** Fills the workers of a bench that has done nothing yet. */
  recoverInto(bench: TestBench): void {
    const { memory } = bench;
    const sequences = this.#sequences();
    const name = text.encode(this.#map);
    const mapId = new MapTable(memory.mapTable).register(name, 0, name.length);
    const rings = memory.workers.map(({ recoveryRing }) => new RingProducer(recoveryRing));
    for (const row of this.#rows.values())
      claimRow(rings[ownerOf(row.partition, rings.length)], row, mapId);
    for (let partition = 0; partition < PARTITIONS; partition++)
      this.#claimPartition(
        rings[ownerOf(partition, rings.length)],
        partition,
        sequences[partition],
      );
    for (const ring of rings) ring.commit();
    this.#tellFlushed(bench);
    for (const worker of bench.workers) while (worker.doWork() > 0);
  }

  /** What partitions go on from, as far as the database can tell. */
  #sequences(): Float64Array {
    const sequences = new Float64Array(PARTITIONS);
    const raise = (partition: number, sequence: number): void => {
      sequences[partition] = Math.max(sequences[partition], sequence);
    };
    for (const { partition, sequence } of this.#rows.values()) raise(partition, Number(sequence));
    for (const { partition, sequence } of this.#marks.values()) raise(partition, sequence);
    for (const kept of this.bases.values()) for (const [p, base] of kept.entries()) raise(p, base);
    return sequences;
  }

  #tellFlushed({ memory }: TestBench): void {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const { control } = memory.workers[ownerOf(partition, memory.workers.length)];
      const index = WorkerControl.flushedIndex(partition);
      storeWatermark(new Int32Array(control), index, this.flushed[partition]);
    }
  }

  #claimPartition(ring: RingProducer, partition: number, reached: number): void {
    const at = ring.claim(RecoveryKind.PARTITION, RecoveryPartition.WORDS);
    const { words } = ring;
    const mark = this.#marks.get(partition);
    const { sequence, ms, counter, node } = mark ?? { sequence: 0, ms: 0, counter: 0, node: 0 };
    words[at + RecoveryPartition.PARTITION] = partition;
    words[at + RecoveryPartition.SEQUENCE_LOW] = reached;
    words[at + RecoveryPartition.SEQUENCE_HIGH] = 0;
    words[at + RecoveryPartition.GC_SEQUENCE_LOW] = sequence;
    words[at + RecoveryPartition.GC_SEQUENCE_HIGH] = 0;
    words[at + RecoveryPartition.GC_MS_LOW] = RecordLayout.lowWord(ms);
    words[at + RecoveryPartition.GC_MS_HIGH_COUNTER] = (RecordLayout.highWord(ms) << 16) | counter;
    words[at + RecoveryPartition.GC_NODE] = node;
  }
}

function isCovered(row: Change, mark: CollectionMark | undefined): boolean {
  if (mark === undefined || row.value !== undefined) return false;
  const { ms, counter } = stampOf(row);
  const later = ms - mark.ms || counter - mark.counter || row.node - mark.node;
  return Number(row.sequence) <= mark.sequence && later <= 0;
}

function stampOf({ stamp }: Change): { ms: number; counter: number } {
  return { ms: Number(stamp >> COUNTER_BITS), counter: Number(stamp) & COUNTER_MASK };
}

/** Claims room in the ring for the record image of the row, and writes it. */
function claimRow(ring: RingProducer, row: Change, mapId: number): void {
  const key = text.encode(row.key);
  const value = text.encode(row.value ?? '');
  const expires = row.expiresAtMs > 0;
  const length = RecordLayout.imageWordsFor(key.length, expires, value.length);
  const at = ring.claim(RecoveryKind.RECORD, length);
  const { words } = ring;
  const { ms, counter } = stampOf(row);
  const flags =
    (row.value === undefined ? RecordLayout.FLAG_TOMBSTONE : 0) |
    (expires ? RecordLayout.FLAG_EXPIRES : 0);
  words[at + RecordLayout.HASH] = hashOf(key);
  words[at + RecordLayout.MAP_COUNTER] = (mapId << 16) | counter;
  words[at + RecordLayout.MS_LOW] = RecordLayout.lowWord(ms);
  words[at + RecordLayout.NODE_FLAGS] = (row.node << 8) | flags;
  words[at + RecordLayout.SEQUENCE_LOW] = Number(row.sequence);
  words[at + RecordLayout.MS_HIGH_SEQUENCE_HIGH] = RecordLayout.highWord(ms) << 16;
  words[at + RecordLayout.LENGTHS] = RecordLayout.packLengths(key.length, value.length);
  const bytes = new Uint8Array(words.buffer);
  const keyAt = RecordLayout.keyIndex(at);
  bytesToWords(key, 0, key.length, words, bytes, keyAt);
  if (expires) {
    const expiryAt = keyAt + RecordLayout.wordsOf(key.length);
    words[expiryAt] = RecordLayout.lowWord(row.expiresAtMs);
    words[expiryAt + 1] = RecordLayout.highWord(row.expiresAtMs);
  }
  bytesToWords(value, 0, value.length, words, bytes, RecordLayout.valueIndex(words, at));
}
