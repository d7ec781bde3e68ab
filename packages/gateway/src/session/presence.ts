import {
  Code,
  hashOf,
  PRESENCE_GRACE_MS,
  PRESENCE_RECORDS_MAX,
  PRESENCE_RECORDS_TOTAL_MAX,
  partitionOf,
} from '@tidewire/core';
import { type FrameReader, type MapTable, ownerOf } from '@tidewire/core/threads';
import {
  endPresenceRecord,
  isUpdate,
  NO_BYTES,
  type OperationTime,
  type PresencePut,
  type WorkerRequests,
} from '@tidewire/partition-worker/front';
import { OperationKind } from '@tidewire/schemas';
import {
  type OperationRefusal,
  PRESENCE_FULL,
  PRESENCE_TOO_MANY,
} from '../operation/operation-refusal.js';
import type { Session } from './session.js';

/** By map and key. */
export type PresencePuts = Map<string, PresencePut>;

/** Puts of a connection that has ended. */
interface Left {
  readonly puts: PresencePuts;
  readonly endsAtMs: number;
}

/** Puts ended in one turn. */
const ENDS_A_TURN = 512;

/**
 * Knows what clients have put for as long as they are connected, and has it ended when they have gone
 * for longer than the grace time. Times are elapsed ones.
 *
 * The owner of a record ends it if it still is a presence put of that client, of this stamp at the most. So
 * it is enough to know the newest put that was sent to a worker, whatever became of it; and whoever
 * writes over its own put otherwise has it ended behind that write, which does nothing if the write
 * was applied. What the client may not write stays, though its node be the same: the newest put may have
 * been FORBIDDEN, and the record be another client's.
 */
export class Presence {
  readonly #requests: WorkerRequests;
  readonly #mapTable: MapTable;
  /** Of connections that have ended, the one that ends first before the others. */
  readonly #left: Map<string, Left> = new Map();
  #count = 0;
  #nameless = 0;

  constructor(options: { requests: WorkerRequests; mapTable: MapTable }) {
    this.#requests = options.requests;
    this.#mapTable = options.mapTable;
  }

  /** Puts that are known. */
  get count(): number {
    return this.#count;
  }

  /** Whether the operation that `reader` stands at may be one; 0, or why it is refused. */
  check(session: Session, reader: FrameReader, bytes: Uint8Array): Code | OperationRefusal {
    if (!reader.whileConnected) return Code.UNSPECIFIED;
    if (reader.kind !== OperationKind.PUT || isUpdate(reader)) return Code.INVALID;
    if (reader.node !== 0 && reader.node !== session.node) return Code.INVALID;
    const known = session.presence?.size ?? 0;
    if (known < PRESENCE_RECORDS_MAX && this.#count < PRESENCE_RECORDS_TOTAL_MAX)
      return Code.UNSPECIFIED;
    if (session.presence?.has(this.#nameIn(reader, bytes)) === true) return Code.UNSPECIFIED;
    return known >= PRESENCE_RECORDS_MAX ? PRESENCE_TOO_MANY : PRESENCE_FULL;
  }

  /** The operation that `reader` stands at has been sent to its owner, stamped with `time`. */
  onRouted(session: Session, reader: FrameReader, bytes: Uint8Array, time: OperationTime): void {
    const puts = session.presence;
    if (!reader.whileConnected && puts === undefined) return;
    if (reader.kind === OperationKind.GET) return;
    const name = this.#nameIn(reader, bytes);
    const before = puts?.get(name);
    if (reader.whileConnected) {
      session.presence = (puts ?? new Map()).set(name, this.#putOf(session, reader, bytes, time));
      if (before === undefined) this.#count++;
    } else if (before !== undefined) {
      puts?.delete(name);
      this.#end(before);
    }
  }

  /** The session has ended; its puts live on for a while. */
  onClose(session: Session, elapsedMs: number): void {
    const puts = session.presence;
    if (puts === undefined) return;
    session.presence = undefined;
    const name = session.token.length > 0 ? nameOf(session.token) : `${++this.#nameless}`;
    for (const put of this.#left.get(name)?.puts.values() ?? []) this.#end(put);
    this.#left.delete(name); // behind those that have ended before
    this.#left.set(name, { puts, endsAtMs: elapsedMs + PRESENCE_GRACE_MS });
  }

  /**
   * The session continues that of its token, `earlier` if it has not ended yet. True: with all that it
   * had put.
   */
  adopt(session: Session, earlier: Session | undefined): boolean {
    const name = nameOf(session.token);
    const puts = earlier?.presence ?? this.#left.get(name)?.puts;
    if (earlier !== undefined) earlier.presence = undefined;
    this.#left.delete(name);
    session.presence = puts;
    return puts !== undefined;
  }

  /** Ends what has been left for too long. Returns the work done. */
  doWork(elapsedMs: number): number {
    let ended = 0;
    for (const [name, { puts, endsAtMs }] of this.#left) {
      if (endsAtMs > elapsedMs || ended >= ENDS_A_TURN) break;
      this.#left.delete(name);
      for (const put of puts.values()) this.#end(put);
      ended += puts.size;
    }
    return ended;
  }

  /** Names map and key. */
  #nameIn(reader: FrameReader, bytes: Uint8Array): string {
    const mapId = this.#mapTable.idOf(bytes, reader.mapOffset, reader.mapLength);
    const key = Buffer.from(bytes.buffer, bytes.byteOffset + reader.keyOffset, reader.keyLength);
    return `${mapId}/${key.toString('latin1')}`;
  }

  #putOf(
    { authority }: Session,
    reader: FrameReader,
    bytes: Uint8Array,
    time: OperationTime,
  ): PresencePut {
    const { keyOffset, keyLength, mapOffset, mapLength } = reader;
    const key = bytes.slice(keyOffset, keyOffset + keyLength);
    const mapId = this.#mapTable.idOf(bytes, mapOffset, mapLength);
    const map = Buffer.from(bytes.buffer, bytes.byteOffset + mapOffset, mapLength).toString();
    const write = authority?.permitsOn(map).write ?? 'everything';
    const rows = typeof write === 'string' ? NO_BYTES : write.bytes;
    const { ms, counter, node } = time;
    return { mapId, hash: hashOf(key), key, ms, counter, node, rows };
  }

  #end(put: PresencePut): void {
    this.#count--;
    const worker = ownerOf(partitionOf(put.hash), this.#requests.workers);
    this.#requests.send(worker, endPresenceRecord(put));
  }
}

function nameOf(token: Uint8Array): string {
  return Buffer.from(token).toString('latin1');
}
