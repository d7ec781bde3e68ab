import { MAPS_MAX } from '@tidewire/core';
import { CensusMessage, OutboundKind, RecordLayout } from '@tidewire/core/threads';
import type { Outbound } from './outbound.js';
import { type RecordStore, SCAN_END } from './store/record-store.js';

/**
 * Counts the records of every map, when asked to: writes keep no such numbers. Goes through one segment a
 * turn, so records that are written meanwhile may be counted or not.
 */
export class Census {
  readonly #store: RecordStore;
  readonly #outbound: Outbound;
  readonly #partitions: readonly number[];
  readonly #records: Float64Array = new Float64Array(MAPS_MAX);
  readonly #bytes: Float64Array = new Float64Array(MAPS_MAX);
  #number = 0;
  #isUnderWay = false;
  /** Index of the partition, and where to go on in it. */
  #partition = 0;
  #cursor = 0;

  constructor(options: { store: RecordStore; outbound: Outbound; partitions: readonly number[] }) {
    this.#store = options.store;
    this.#outbound = options.outbound;
    this.#partitions = options.partitions;
  }

  begin(number: number): void {
    this.#number = number;
    this.#isUnderWay = true;
    this.#partition = 0;
    this.#cursor = 0;
    this.#records.fill(0);
    this.#bytes.fill(0);
  }

  hasWork(): boolean {
    return this.#isUnderWay && (!this.#isCounted() || this.#outbound.hasRoomForSlice());
  }

  /** One bounded turn. Returns the work done. */
  doWork(): number {
    if (!this.hasWork()) return 0;
    if (this.#isCounted()) this.#say();
    else this.#count();
    return 1;
  }

  #isCounted(): boolean {
    return this.#partition === this.#partitions.length;
  }

  #count(): void {
    const partition = this.#partitions[this.#partition];
    this.#cursor = this.#store.scanSlice(partition, this.#cursor, this.#meet);
    if (this.#cursor < SCAN_END) return;
    this.#cursor = 0;
    this.#partition++;
  }

  readonly #meet: (record: number) => void = (record) => {
    const { words } = this.#store;
    if (RecordLayout.isTombstone(words, record)) return;
    const mapId = RecordLayout.mapIdOf(words, record);
    this.#records[mapId]++;
    this.#bytes[mapId] += 4 * RecordLayout.imageWords(words, record);
  };

  /** An entry for each of 4,096 maps is shorter than the slice that there is room for. */
  #say(): void {
    this.#isUnderWay = false;
    const maps: number[] = [];
    for (const [mapId, records] of this.#records.entries()) if (records > 0) maps.push(mapId);
    const { ENTRIES, ENTRY_WORDS } = CensusMessage;
    const body = this.#outbound.claim(OutboundKind.CENSUS, ENTRIES + maps.length * ENTRY_WORDS);
    const { words } = this.#outbound;
    words[body + CensusMessage.NUMBER] = this.#number;
    words[body + CensusMessage.COUNT] = maps.length;
    for (const [i, mapId] of maps.entries()) {
      const entry = body + ENTRIES + i * ENTRY_WORDS;
      words[entry] = mapId;
      words[entry + 1] = this.#records[mapId];
      words[entry + 2] = RecordLayout.lowWord(this.#bytes[mapId]);
      words[entry + 3] = RecordLayout.highWord(this.#bytes[mapId]);
    }
    this.#outbound.commit();
    this.#outbound.ring();
  }
}
