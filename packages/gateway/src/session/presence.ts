import {
  Code,
  hashOf,
  PRESENCE_GRACE_MS,
  PRESENCE_RECORDS_A_PRINCIPAL_MAX,
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
  type Verdict,
  type WorkerRequests,
} from '@tidewire/partition-worker/front';
import { OperationKind } from '@tidewire/schemas';
import {
  type OperationRefusal,
  PRESENCE_FULL,
  PRESENCE_OF_ONE_FULL,
  PRESENCE_TOO_MANY,
} from '../operation/operation-refusal.js';
import type { Principal } from './principal.js';
import type { Session } from './session.js';

/** By map and key. */
export type PresencePuts = Map<string, Held>;

/** The newest put of a key. */
interface Held {
  put: PresencePut;
  readonly principal: Principal | undefined;
  /** Puts of the key that have not been answered. */
  pending: number;
  /** One of them has been applied: there may be something to end. */
  isApplied: boolean;
}

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
 * it is enough to know the newest put that was sent to a worker, unless all of that key were refused; and
 * whoever writes over its own put otherwise has it ended behind that write, which does nothing if the write
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
    const full = this.#isFull(session);
    if (full === undefined || session.presence?.has(this.#nameIn(reader, bytes)) === true)
      return Code.UNSPECIFIED;
    return full;
  }

  /** Why a put of a further key is refused. */
  #isFull({ presence, principal }: Session): OperationRefusal | undefined {
    if ((presence?.size ?? 0) >= PRESENCE_RECORDS_MAX) return PRESENCE_TOO_MANY;
    if ((principal?.presence ?? 0) >= PRESENCE_RECORDS_A_PRINCIPAL_MAX) return PRESENCE_OF_ONE_FULL;
    return this.#count >= PRESENCE_RECORDS_TOTAL_MAX ? PRESENCE_FULL : undefined;
  }

  /**
   * The operation that `reader` stands at has been sent to its owner, stamped with `time`. Returns who is to
   * be told what became of it.
   */
  onRouted(
    session: Session,
    reader: FrameReader,
    bytes: Uint8Array,
    time: OperationTime,
  ): Verdict | undefined {
    const { presence } = session;
    if (!reader.whileConnected && presence === undefined) return undefined;
    if (reader.kind === OperationKind.GET) return undefined;
    const name = this.#nameIn(reader, bytes);
    if (reader.whileConnected)
      return this.#hold(session, name, this.#putOf(session, reader, bytes, time));
    const before = presence?.get(name);
    presence?.delete(name);
    if (before !== undefined) this.#end(before);
    return undefined;
  }

  /** Whoever is refused holds nothing: else refused puts would use up what there is for all. */
  #hold(session: Session, name: string, put: PresencePut): Verdict {
    const { principal } = session;
    const puts: PresencePuts = session.presence ?? new Map();
    session.presence = puts;
    let held = puts.get(name);
    if (held === undefined) {
      held = { put, principal, pending: 0, isApplied: false };
      puts.set(name, held);
      this.#count++;
      if (principal !== undefined) principal.presence++;
    }
    held.put = put;
    held.pending++;
    const own = held;
    return (outcome) => {
      own.pending--;
      own.isApplied ||= outcome === Code.APPLIED || outcome === Code.DUPLICATE;
      if (own.pending > 0 || own.isApplied || puts.get(name) !== own) return;
      puts.delete(name);
      this.#drop(own);
    };
  }

  /** The session has ended; its puts live on for a while. */
  onClose(session: Session, elapsedMs: number): void {
    const puts = session.presence;
    if (puts === undefined) return;
    session.presence = undefined;
    const name = session.token.length > 0 ? nameOf(session.token) : `${++this.#nameless}`;
    const before = this.#left.get(name);
    if (before !== undefined) this.#endAll(before.puts);
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
      ended += puts.size;
      this.#endAll(puts);
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

  #endAll(puts: PresencePuts): void {
    for (const held of puts.values()) this.#end(held);
    puts.clear(); // verdicts may still come
  }

  #drop({ principal }: Held): void {
    this.#count--;
    if (principal !== undefined) principal.presence--;
  }

  #end(held: Held): void {
    this.#drop(held);
    const { put } = held;
    const worker = ownerOf(partitionOf(put.hash), this.#requests.workers);
    this.#requests.send(worker, endPresenceRecord(put));
  }
}

function nameOf(token: Uint8Array): string {
  return Buffer.from(token).toString('latin1');
}
