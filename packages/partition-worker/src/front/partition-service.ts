import { assert, Code, hashOf, MAPS_MAX, partitionOf } from '@tidewire/core';
import {
  bytesToWords,
  MAPS_FULL,
  type MapTable,
  NO_MAP,
  NO_ROOM,
  NO_RULE,
  OPERATION_CLIENT_STAMP,
  OPERATION_EXTENDED,
  OPERATION_PRESENCE,
  OPERATION_RETURN_WINNER,
  OPERATION_RULED,
  OPERATION_SAFE,
  Operation,
  OperationExtension,
  type OperationFields,
  OperationRules,
  ownerOf,
  RecordLayout,
  RequestKind,
  type SharedMemory,
} from '@tidewire/core/threads';
import { AckLevel, OperationKind, ValueKind } from '@tidewire/schemas';
import type { Interest } from './interest.js';
import { MAPS_OF_ONE_FULL, NewMaps } from './new-maps.js';
import { Owner } from './owner.js';
import { otherWords, type RecordName, writeOthers } from './record-name.js';
import { type Caller, isUpdate, type OperationSource, writeExtension } from './update-fields.js';
import type { Verdict } from './verdicts.js';

/** `route` has sent the operation to its owner. */
export const ROUTED = 0;
const NO_OTHERS: readonly RecordName[] = [];
const NO_IDS: readonly number[] = [];

/** To which records an operation may be done; see OperationRules. */
export interface OperationRuling {
  readonly isRuled: boolean;
  readonly write: number;
  readonly read: number;
}

export const UNRULED: OperationRuling = { isRuled: false, write: NO_RULE, read: NO_RULE };

/** A stamp and the gateway's time, as they go with an operation. */
export interface OperationTime {
  ms: number;
  counter: number;
  node: number;
  nowMs: number;
}

/**
 * Knows the logical partitions and who owns them: puts each operation into the request ring of the
 * worker that owns its key's partition.
 */
export class PartitionService {
  readonly #mapTable: MapTable;
  readonly #newMaps: NewMaps;
  readonly #mapTtls: ReadonlyMap<string, number>;
  /** Of the operation that is routed. */
  #mapId: number = NO_MAP;
  #otherMapIds: readonly number[] = NO_IDS;
  /** To whom the last one was sent. */
  #receiver: Owner;
  /** By the id of the map; 0: for ever. */
  readonly #ttls: Float64Array = new Float64Array(MAPS_MAX);
  readonly owners: readonly Owner[];
  /** What `ownersOf` returns: very many topics share it. */
  readonly #everyOwner: readonly number[];
  readonly #oneOwner: readonly (readonly number[])[];

  /** `mapTtls`: lifetime in milliseconds of what is put without one, by the name of the map. */
  constructor(
    memory: SharedMemory,
    mapTable: MapTable,
    mapTtls: ReadonlyMap<string, number> = new Map(),
  ) {
    this.#mapTable = mapTable;
    this.#newMaps = new NewMaps(mapTable);
    this.#mapTtls = mapTtls;
    this.owners = memory.workers.map((worker) => new Owner(worker));
    this.#everyOwner = this.owners.map((_, worker) => worker);
    this.#oneOwner = this.#everyOwner.map((worker) => [worker]);
    this.#receiver = this.owners[0];
  }

  /** Recovery has ended: this thread gives the maps their ids from now on. */
  open(): void {
    for (const [name, ttlMs] of this.#mapTtls) {
      const bytes = new TextEncoder().encode(name);
      const mapId = this.#mapTable.register(bytes, 0, bytes.length);
      if (mapId !== MAPS_FULL) this.#ttls[mapId] = ttlMs; // else nobody can put into that map
    }
  }

  /** Every change of the partition up to this sequence is in the database. */
  flushedOf(partition: number): number {
    return this.owners[ownerOf(partition, this.owners.length)].flushedOf(partition);
  }

  /** Workers that own changes of the whole map (all), or of one key. */
  ownersOf(interest: Interest): readonly number[] {
    if (interest.key.length === 0) return this.#everyOwner;
    return this.#oneOwner[ownerOf(partitionOf(interest.hash), this.owners.length)];
  }

  /**
   * Sends the operation that `reader` stands at in `bytes`, already checked and stamped. Returns ROUTED,
   * ABSENT for a get of a map that nobody has written, MAPS_OF_ONE_FULL, or a refusal. `others`: of an
   * EXECUTE, the records that its processor is given beside the operation's own.
   */
  route(
    reader: OperationSource,
    bytes: Uint8Array,
    caller: Caller,
    time: OperationTime,
    rules: OperationRuling = UNRULED,
    others: readonly RecordName[] = NO_OTHERS,
  ): typeof ROUTED | typeof MAPS_OF_ONE_FULL | Code {
    const mapId = this.#mapIdFor(reader, bytes, caller);
    if (mapId === NO_MAP) return Code.ABSENT;
    if (mapId === MAPS_FULL) return Code.TOO_LARGE;
    if (mapId < 0) return MAPS_OF_ONE_FULL;
    this.#mapId = mapId;
    this.#otherMapIds =
      others.length === 0
        ? NO_IDS
        : others.map(({ map }) => this.#begin(map, 0, map.length, caller));
    const isFull = this.#otherMapIds.some((id) => id < 0);
    const code = isFull ? Code.TOO_LARGE : this.#send(reader, bytes, caller, time, rules, others);
    if (reader.kind !== OperationKind.GET) this.#endNewMaps(caller, code);
    return code;
  }

  /** Says what becomes of the operation that was ROUTED last, before its result. */
  expect(tell: Verdict): void {
    this.#receiver.verdicts.expect(this.#receiver.requests.tail, tell);
  }

  /** A worker has answered the operation at this position of its ring. */
  onVerdict(worker: number, position: number, outcome: Code): void {
    this.owners[worker].verdicts.onResult(position, outcome);
  }

  #send(
    reader: OperationSource,
    bytes: Uint8Array,
    caller: Caller,
    time: OperationTime,
    rules: OperationRuling,
    others: readonly RecordName[],
  ): typeof ROUTED | Code {
    const mapId = this.#mapId;
    const hash = hashOf(bytes, reader.keyOffset, reader.keyLength);
    const partition = partitionOf(hash);
    if (others.some(({ key }) => partitionOf(hashOf(key)) !== partition)) return Code.INVALID;
    const owner = this.owners[ownerOf(partition, this.owners.length)];
    const keyWords = RecordLayout.wordsOf(reader.keyLength);
    const valueWords = RecordLayout.wordsOf(reader.valueLength);
    const isExtended = isUpdate(reader);
    const extensionWords = isExtended ? OperationExtension.WORDS + otherWords(others) : 0;
    const { isRuled } = rules;
    assert(!isRuled || others.length === 0, 'groups are of sessions without rules');
    // It may not know the rules yet, or forget later under this token what is new.
    if ((isRuled || isExtended) && owner.isBehind) return Code.OVERLOADED;
    const bodyWords =
      Operation.KEY + keyWords + valueWords + extensionWords + (isRuled ? OperationRules.WORDS : 0);
    if (!owner.shares.admits(caller.id, bodyWords)) return Code.OVERLOADED;
    const at = owner.requests.claim(RequestKind.OPERATION, bodyWords);
    if (at === NO_ROOM) return Code.OVERLOADED;
    const { words } = owner.requests;
    words[at + Operation.SESSION] = caller.id;
    words[at + Operation.REQUEST_ID] = reader.requestId;
    words[at + Operation.HASH] = hash;
    words[at + Operation.MAP_KIND_FLAGS] =
      (mapId << 16) | (reader.kind << 8) | flagsOf(reader) | (isRuled ? OPERATION_RULED : 0);
    writeTime(words, at, time, reader, this.#ttlOf(reader, mapId));
    words[at + Operation.LENGTHS] = RecordLayout.packLengths(reader.keyLength, reader.valueLength);
    const key = at + Operation.KEY;
    bytesToWords(bytes, reader.keyOffset, reader.keyLength, words, owner.requestBytes, key);
    const value = key + keyWords;
    bytesToWords(bytes, reader.valueOffset, reader.valueLength, words, owner.requestBytes, value);
    const extension = value + valueWords;
    if (isExtended) {
      writeExtension(words, extension, reader, caller);
      writeOthers(owner, extension, others, this.#otherMapIds);
    }
    if (isRuled) writeRules(words, extension + extensionWords, rules);
    owner.hasNews = true;
    this.#receiver = owner;
    return ROUTED;
  }

  /** Makes visible what was sent since the last call, and wakes its workers. Returns how many. */
  publish(): number {
    let woken = 0;
    for (const owner of this.owners) if (owner.publish()) woken++;
    return woken;
  }

  /** A put without a lifetime gets that of its map. */
  #ttlOf(reader: OperationFields, mapId: number): number {
    const isOwn = reader.ttlMs > 0 || reader.kind !== OperationKind.PUT;
    return isOwn ? reader.ttlMs : this.#ttls[mapId];
  }

  #mapIdFor(reader: OperationFields, bytes: Uint8Array, caller: Caller): number {
    return reader.kind === OperationKind.GET
      ? this.#mapTable.idOf(bytes, reader.mapOffset, reader.mapLength)
      : this.#begin(bytes, reader.mapOffset, reader.mapLength, caller);
  }

  #begin(bytes: Uint8Array, offset: number, length: number, { principal }: Caller): number {
    return this.#newMaps.begin(bytes, offset, length, principal);
  }

  /** Maps that the operation would make are made once it has been applied. */
  #endNewMaps({ principal }: Caller, code: Code | typeof ROUTED): void {
    if (this.#newMaps.count === 0) return;
    const newIds = [this.#mapId, ...this.#otherMapIds].filter((id) => this.#newMaps.has(id));
    const end = (isApplied: boolean): void => {
      for (const id of newIds) this.#newMaps.end(id, principal, isApplied);
    };
    if (code !== ROUTED) end(false);
    else if (newIds.length > 0) this.expect((outcome) => end(outcome === Code.APPLIED));
  }
}

function writeRules(words: Int32Array, at: number, { read, write }: OperationRuling): void {
  words[at + OperationRules.WRITE] = write;
  words[at + OperationRules.READ] = read;
}

function flagsOf(reader: OperationFields): number {
  const safe = reader.ackLevel === AckLevel.SAFE ? OPERATION_SAFE : 0;
  const extended = isUpdate(reader) ? OPERATION_EXTENDED : 0;
  const winner = reader.returnWinner ? OPERATION_RETURN_WINNER : 0;
  const isStamped = reader.stampMs > 0 || reader.stampCounter > 0;
  const stamped = isStamped ? OPERATION_CLIENT_STAMP : 0;
  const presence = reader.whileConnected ? OPERATION_PRESENCE : 0;
  return safe | extended | winner | stamped | presence;
}

function writeTime(
  words: Int32Array,
  at: number,
  time: OperationTime,
  reader: OperationFields,
  ttlMs: number,
): void {
  const kind = reader.valueKind === 0 ? ValueKind.JSON : reader.valueKind;
  const expiresAt = ttlMs === 0 ? 0 : time.ms + ttlMs;
  words[at + Operation.MS_LOW] = RecordLayout.lowWord(time.ms);
  words[at + Operation.MS_HIGH_COUNTER] = (RecordLayout.highWord(time.ms) << 16) | time.counter;
  words[at + Operation.NODE_VALUE_KIND] = (time.node << 8) | kind;
  words[at + Operation.EXPIRES_LOW] = RecordLayout.lowWord(expiresAt);
  words[at + Operation.EXPIRES_HIGH] = RecordLayout.highWord(expiresAt);
  words[at + Operation.NOW_LOW] = RecordLayout.lowWord(time.nowMs);
  words[at + Operation.NOW_HIGH] = RecordLayout.highWord(time.nowMs);
}
