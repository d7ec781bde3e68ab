import { fromBinary } from '@bufbuild/protobuf';
import { type Code, hashOf, partitionOf } from '@tidewire/core';
import {
  type CollectionMark,
  RecordLayout,
  RecoveryKind,
  RecoveryPartition,
  RequestKind,
  RingProducer,
  readCollectionMarks,
  storeWatermark,
  storeWord,
  WorkerControl,
  type WorkerMemory,
} from '@tidewire/core/threads';
import { OperationKind, ResultsSchema } from '@tidewire/schemas';
import { ABSENT, RecordStore, SCAN_END } from '#lib/store/record-store.js';
import { Worker } from '#lib/worker.js';
import { endPresenceWords } from './end-presence.js';
import {
  doorbells,
  FakeGateway,
  type Interest,
  MAP_ID,
  putBytes,
  type Sent,
  START_MS,
  smallMemory,
} from './worker-fixture.js';

/** A worker and the threads around it, stepped by hand. Times are milliseconds above START_MS. */
export class LifeBench {
  readonly memory: WorkerMemory = smallMemory(8 * 1024 * 1024);
  readonly gateway: FakeGateway = new FakeGateway(this.memory);
  readonly control: Int32Array = new Int32Array(this.memory.control);
  readonly #interests: readonly Interest[];
  #worker: Worker;
  #starts = 0;
  #requestId = 0;

  constructor(interests: readonly Interest[] = [], hasStore = true) {
    this.#interests = interests;
    this.control[WorkerControl.NO_STORE] = hasStore ? 0 : 1;
    this.#worker = this.restart();
  }

  /** The worker dies between two turns, and another one takes its memory over. */
  restart(): Worker {
    this.#starts++;
    this.gateway.introduce(this.#starts, this.#interests);
    this.#worker = new Worker(this.memory, doorbells(), this.#starts);
    return this.#worker;
  }

  put(key: string, ms: number, more: Partial<Sent> = {}): void {
    this.send({ kind: OperationKind.PUT, key, value: '1', ms, ...more });
  }

  remove(key: string, ms: number, more: Partial<Sent> = {}): void {
    this.send({ kind: OperationKind.REMOVE, key, ms, ...more });
  }

  send(sent: Sent): void {
    this.gateway.send(++this.#requestId, sent);
    this.work();
  }

  tick(ms: number): void {
    this.gateway.tick(ms);
    this.work();
  }

  /** The client has gone that put this. */
  endPresence(key: string, ms: number): void {
    this.gateway.request(RequestKind.END_PRESENCE, endPresenceWords(key, ms));
    this.work();
  }

  /** Turns until there is nothing to do. */
  work(): void {
    do {
      this.gateway.listen(); // it may have waited for room
      for (let idle = 0; idle < 2; ) idle = this.#worker.doWork() === 0 ? idle + 1 : 0;
    } while (this.gateway.hasNews());
  }

  /** Takes in all records of another store, as after a restart of the server. */
  recover(source: RecordStore): void {
    const ring = new RingProducer(this.memory.recoveryRing);
    for (let partition = 0; partition < 271; partition++) {
      for (let at = 0; at < SCAN_END; )
        at = source.scanSlice(partition, at, (record) => {
          const length = RecordLayout.imageWords(source.words, record);
          const body = ring.claim(RecoveryKind.RECORD, length);
          ring.words.set(source.words.subarray(record, record + length), body);
        });
      this.#endRecovery(ring, source, partition);
      ring.commit();
      this.work();
    }
  }

  #endRecovery(ring: RingProducer, source: RecordStore, partition: number): void {
    const { sequence, ms, counter, node } = source.collected(partition);
    const body = ring.claim(RecoveryKind.PARTITION, RecoveryPartition.WORDS);
    ring.words[body + RecoveryPartition.PARTITION] = partition;
    ring.words[body + RecoveryPartition.SEQUENCE_LOW] = source.sequence(partition);
    ring.words[body + RecoveryPartition.SEQUENCE_HIGH] = 0;
    ring.words[body + RecoveryPartition.GC_SEQUENCE_LOW] = sequence;
    ring.words[body + RecoveryPartition.GC_SEQUENCE_HIGH] = 0;
    ring.words[body + RecoveryPartition.GC_MS_LOW] = RecordLayout.lowWord(ms);
    ring.words[body + RecoveryPartition.GC_MS_HIGH_COUNTER] =
      (RecordLayout.highWord(ms) << 16) | counter;
    ring.words[body + RecoveryPartition.GC_NODE] = node;
  }

  /** The worker's records as they stand. */
  get store(): RecordStore {
    return new RecordStore(this.memory.arena);
  }

  /** Everything is in the database. */
  flush(): void {
    const { store } = this;
    for (let partition = 0; partition < 271; partition++)
      storeWatermark(
        this.control,
        WorkerControl.flushedIndex(partition),
        store.sequence(partition),
      );
  }

  /** What the worker has proposed to collect, unless it is committed. */
  proposal(): CollectionMark[] {
    const proposed = this.control[WorkerControl.GC_PROPOSED];
    return proposed === this.control[WorkerControl.GC_COMMITTED]
      ? []
      : readCollectionMarks(this.control);
  }

  /** The database knows what was proposed. */
  commit(): void {
    const proposed = this.control[WorkerControl.GC_PROPOSED];
    storeWord(this.control, WorkerControl.GC_COMMITTED, proposed);
  }

  /** Ticks often enough for the collector to go through its whole pass. */
  pass(ms: number): void {
    for (let i = 0; i < 5; i++) this.tick(ms);
  }

  /** Why the last operation was refused, else its outcome. */
  get code(): Code {
    const said = this.gateway.heard.findLast((text) => text.startsWith('result')) as string;
    const { results } = fromBinary(ResultsSchema, Buffer.from(said.split(' ')[2], 'hex'));
    return results[0].refusal || results[0].outcome;
  }

  /** The part of the arena that is in use. */
  get fill(): number {
    const { store } = this;
    return store.bytesUsed / store.bytesTotal;
  }

  /** Removed keys that are remembered. */
  get tombstones(): number {
    const { store } = this;
    let count = 0;
    for (let partition = 0; partition < 271; partition++)
      for (let at = 0; at < SCAN_END; )
        at = store.scanSlice(partition, at, (record) => {
          if (RecordLayout.isTombstone(store.words, record)) count++;
        });
    return count;
  }

  /** What the worker has said since the last call: events as kind and key, results as codes. */
  heard(): string[] {
    const events = this.gateway.said.map((said) =>
      said.kind === 'event' ? `${said.event.kind} ${said.event.key}` : said.kind,
    );
    this.gateway.said.length = 0;
    return events;
  }

  /** The state of a key: '' if there is none. */
  stateOf(key: string): string {
    const { store } = this;
    const bytes = Buffer.from(key);
    const words = new Int32Array(RecordLayout.wordsOf(bytes.length));
    putBytes(words, 0, bytes);
    const hash = hashOf(bytes);
    const record = store.find(partitionOf(hash), MAP_ID, hash, words, 0, bytes.length);
    return record === ABSENT ? '' : describe(store, record);
  }
}

/** Of a record: whether it stands, its stamp and node, and its sequence. */
function describe(store: RecordStore, record: number): string {
  const { words } = store;
  const kind = RecordLayout.isTombstone(words, record) ? 'removed' : 'stands';
  const ms = RecordLayout.stampMsOf(words, record) - START_MS;
  return `${kind} ${ms}/${RecordLayout.nodeOf(words, record)} #${RecordLayout.sequenceOf(words, record)}`;
}
