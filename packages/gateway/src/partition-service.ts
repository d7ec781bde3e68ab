import { Code, hashOf, partitionOf, RING_BYTES, RING_CONTROL_DIVISOR } from '@tidewire/core';
import {
  bytesToWords,
  Doorbell,
  type FrameReader,
  InterestEnd,
  InterestKind,
  MAPS_FULL,
  type MapTable,
  NO_MAP,
  NO_ROOM,
  OPERATION_RETURN_WINNER,
  OPERATION_SAFE,
  Operation,
  ownerOf,
  RecordLayout,
  RequestKind,
  RingProducer,
  type SharedMemory,
  SubscribeRequest,
  UnsubscribeRequest,
  WorkerControl,
} from '@tidewire/core/threads';
import { AckLevel, OperationKind, ValueKind } from '@tidewire/schemas';
import type { Interest } from './interest.js';

/** `route` has sent the operation to its owner. */
export const ROUTED = 0;

interface Owner {
  readonly ring: RingProducer;
  readonly ringBytes: Uint8Array;
  readonly interests: RingProducer;
  readonly interestBytes: Uint8Array;
  readonly doorbell: Doorbell;
  hasNews: boolean;
}

/** A stamp and the gateway's time, as they go with an operation. */
export interface OperationTime {
  ms: number;
  counter: number;
  node: number;
  nowMs: number;
}

/**
 * Knows the logical partitions and who owns them: puts each operation into the request ring of the
 * worker that owns its key's partition, and tells workers which changes interest somebody.
 */
export class PartitionService {
  readonly #mapTable: MapTable;
  readonly #owners: readonly Owner[];

  constructor(memory: SharedMemory, mapTable: MapTable) {
    this.#mapTable = mapTable;
    const reserveWords = RING_BYTES / 4 / RING_CONTROL_DIVISOR;
    this.#owners = memory.workers.map((worker) => ({
      ring: new RingProducer(worker.requestRing, reserveWords),
      ringBytes: new Uint8Array(worker.requestRing),
      interests: new RingProducer(worker.interestRing),
      interestBytes: new Uint8Array(worker.interestRing),
      doorbell: new Doorbell(new Int32Array(worker.control), WorkerControl.WORKER_DOORBELL),
      hasNews: false,
    }));
  }

  /** Workers that own changes of the whole map (all), or of one key. */
  ownersOf(interest: Interest): number[] {
    if (interest.key.length === 0) return this.#owners.map((_, worker) => worker);
    return [ownerOf(partitionOf(interest.hash), this.#owners.length)];
  }

  /**
   * Sends the operation that `reader` stands at, already checked and stamped. Returns ROUTED,
   * ABSENT for a get of a map that nobody has written, or a refusal.
   */
  route(
    reader: FrameReader,
    bytes: Uint8Array,
    session: number,
    time: OperationTime,
  ): typeof ROUTED | Code {
    const mapId = this.#mapIdFor(reader, bytes);
    if (mapId === NO_MAP) return Code.ABSENT;
    if (mapId === MAPS_FULL) return Code.TOO_LARGE;
    const hash = hashOf(bytes, reader.keyOffset, reader.keyLength);
    const owner = this.#owners[ownerOf(partitionOf(hash), this.#owners.length)];
    const keyWords = RecordLayout.wordsOf(reader.keyLength);
    const at = owner.ring.claim(
      RequestKind.OPERATION,
      Operation.KEY + keyWords + RecordLayout.wordsOf(reader.valueLength),
    );
    if (at === NO_ROOM) return Code.OVERLOADED;
    const { words } = owner.ring;
    words[at + Operation.SESSION] = session;
    words[at + Operation.REQUEST_ID] = reader.requestId;
    words[at + Operation.HASH] = hash;
    words[at + Operation.MAP_KIND_FLAGS] = (mapId << 16) | (reader.kind << 8) | flagsOf(reader);
    writeTime(words, at, time, reader);
    words[at + Operation.LENGTHS] = RecordLayout.packLengths(reader.keyLength, reader.valueLength);
    const key = at + Operation.KEY;
    bytesToWords(bytes, reader.keyOffset, reader.keyLength, words, owner.ringBytes, key);
    const value = key + keyWords;
    bytesToWords(bytes, reader.valueOffset, reader.valueLength, words, owner.ringBytes, value);
    owner.hasNews = true;
    return ROUTED;
  }

  /** Tells `worker` that changes of the interest concern `topic`; false: no room now. */
  subscribe(worker: number, topic: number, interest: Interest): boolean {
    const owner = this.#owners[worker];
    const at = owner.ring.claimControl(RequestKind.SUBSCRIBE, subscribeWords(interest));
    if (at === NO_ROOM) return false;
    writeSubscribe(owner.ring.words, owner.ringBytes, at, topic, interest);
    owner.hasNews = true;
    return true;
  }

  /** As `subscribe`, for a worker that starts and reads its interest ring first. */
  introduce(worker: number, topic: number, interest: Interest): boolean {
    const owner = this.#owners[worker];
    const at = owner.interests.claim(InterestKind.SUBSCRIBE, subscribeWords(interest));
    if (at === NO_ROOM) return false;
    writeSubscribe(owner.interests.words, owner.interestBytes, at, topic, interest);
    owner.hasNews = true;
    return true;
  }

  /** Ends the introduction of the worker's start of this number; false: no room now. */
  endIntroduction(worker: number, start: number): boolean {
    const owner = this.#owners[worker];
    const at = owner.interests.claim(InterestKind.END, InterestEnd.WORDS);
    if (at === NO_ROOM) return false;
    owner.interests.words[at + InterestEnd.START] = start;
    owner.hasNews = true;
    return true;
  }

  /** Tells `worker` that `topic` interests nobody any more; false: no room now. */
  unsubscribe(worker: number, topic: number): boolean {
    const { ring } = this.#owners[worker];
    const at = ring.claimControl(RequestKind.UNSUBSCRIBE, UnsubscribeRequest.WORDS);
    if (at === NO_ROOM) return false;
    ring.words[at + UnsubscribeRequest.TOPIC] = topic;
    this.#owners[worker].hasNews = true;
    return true;
  }

  /** Makes visible what was sent since the last call, and wakes its workers. Returns how many. */
  publish(): number {
    let woken = 0;
    for (const owner of this.#owners) {
      if (!owner.hasNews) continue;
      owner.hasNews = false;
      owner.ring.commit();
      owner.interests.commit();
      owner.doorbell.ring();
      woken++;
    }
    return woken;
  }

  #mapIdFor(reader: FrameReader, bytes: Uint8Array): number {
    return reader.kind === OperationKind.GET
      ? this.#mapTable.idOf(bytes, reader.mapOffset, reader.mapLength)
      : this.#mapTable.register(bytes, reader.mapOffset, reader.mapLength);
  }
}

function subscribeWords(interest: Interest): number {
  return SubscribeRequest.BODY + RecordLayout.wordsOf(interest.key.length);
}

function writeSubscribe(
  words: Int32Array,
  wordBytes: Uint8Array,
  at: number,
  topic: number,
  { mapId, hash, key }: Interest,
): void {
  words[at + SubscribeRequest.TOPIC] = topic;
  words[at + SubscribeRequest.MAP] = mapId;
  words[at + SubscribeRequest.HASH] = hash;
  words[at + SubscribeRequest.KEY_LENGTH] = key.length;
  words[at + SubscribeRequest.PREDICATE_LENGTH] = 0;
  words[at + SubscribeRequest.FLAGS] = 0;
  bytesToWords(key, 0, key.length, words, wordBytes, at + SubscribeRequest.BODY);
}

function flagsOf(reader: FrameReader): number {
  const safe = reader.ackLevel === AckLevel.SAFE ? OPERATION_SAFE : 0;
  return safe | (reader.returnWinner ? OPERATION_RETURN_WINNER : 0);
}

function writeTime(words: Int32Array, at: number, time: OperationTime, reader: FrameReader): void {
  const kind = reader.valueKind === 0 ? ValueKind.JSON : reader.valueKind;
  const expiresAt = reader.ttlMs === 0 ? 0 : time.ms + reader.ttlMs;
  words[at + Operation.MS_LOW] = RecordLayout.lowWord(time.ms);
  words[at + Operation.MS_HIGH_COUNTER] = (RecordLayout.highWord(time.ms) << 16) | time.counter;
  words[at + Operation.NODE_VALUE_KIND] = (time.node << 8) | kind;
  words[at + Operation.EXPIRES_LOW] = RecordLayout.lowWord(expiresAt);
  words[at + Operation.EXPIRES_HIGH] = RecordLayout.highWord(expiresAt);
  words[at + Operation.NOW_LOW] = RecordLayout.lowWord(time.nowMs);
  words[at + Operation.NOW_HIGH] = RecordLayout.highWord(time.nowMs);
}
