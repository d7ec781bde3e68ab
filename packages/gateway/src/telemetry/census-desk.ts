import { CensusMessage, RecordLayout } from '@tidewire/core/threads';
import { censusRecord, type WorkerRequests } from '@tidewire/partition-worker/front';

/** What there is of one map. */
export interface MapCount {
  records: number;
  /** Of record images, without the room that blocks have beside them. */
  bytes: number;
}

/** By the ids of maps. */
export type MapCounts = ReadonlyMap<number, MapCount>;

/** Has all workers count their records by map; one count at a time, for all who ask meanwhile. */
export class CensusDesk {
  readonly #requests: WorkerRequests;
  readonly #counts: Map<number, MapCount> = new Map();
  /** Workers that have not answered. */
  readonly #owing: Set<number> = new Set();
  #number = 0;
  #waiting: ((counts: MapCounts) => void)[] = [];

  constructor(requests: WorkerRequests) {
    this.#requests = requests;
  }

  /** Resolves once all workers have counted. */
  count(): Promise<MapCounts> {
    if (this.#waiting.length === 0) this.#begin();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** It has forgotten what it was asked. */
  onWorkerStart(worker: number): void {
    if (this.#owing.has(worker)) this.#requests.send(worker, censusRecord(this.#number));
  }

  /** Takes a CENSUS record. */
  onCensus(worker: number, words: Int32Array, at: number): void {
    if (words[at + CensusMessage.NUMBER] !== this.#number || !this.#owing.delete(worker)) return;
    for (let i = 0; i < words[at + CensusMessage.COUNT]; i++)
      this.#add(words, at + CensusMessage.ENTRIES + i * CensusMessage.ENTRY_WORDS);
    if (this.#owing.size > 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve(new Map(this.#counts));
  }

  #begin(): void {
    this.#number = (this.#number + 1) | 0;
    this.#counts.clear();
    for (let worker = 0; worker < this.#requests.workers; worker++) {
      this.#owing.add(worker);
      this.#requests.send(worker, censusRecord(this.#number));
    }
  }

  #add(words: Int32Array, entry: number): void {
    const count = this.#counts.get(words[entry]) ?? { records: 0, bytes: 0 };
    count.records += words[entry + 1];
    count.bytes += RecordLayout.joinWords(words[entry + 2], words[entry + 3]);
    this.#counts.set(words[entry], count);
  }
}
