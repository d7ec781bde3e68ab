import { fromBinary } from '@bufbuild/protobuf';
import { hashOf } from '@tidewire/core';
import {
  bytesToWords,
  OPERATION_CLIENT_STAMP,
  OPERATION_SAFE,
  Operation,
  OutboundKind,
  RecordLayout,
  RequestKind,
  ResultMessage,
  RingConsumer,
  RingProducer,
  type WorkerMemory,
} from '@tidewire/core/threads';
import { OperationKind, type Result, ResultsSchema, ValueKind } from '@tidewire/schemas';

/** The only map, by its id. */
export const MAP = 'm';
const MAP_ID = 0;
const NODE = 1;

/** A write with its stamp; the same one sent again is a duplicate. */
export interface Write {
  readonly key: string;
  /** Milliseconds of the stamp. */
  readonly ms: number;
  readonly isRemoval?: boolean;
  readonly isSafe?: boolean;
}

export interface Answer {
  /** Undefined: a read. */
  readonly write: Write | undefined;
  readonly result: Result;
  /** The answer goes out once the lane is flushed up to here; undefined: at once. */
  readonly lane: number | undefined;
}

/** The gateway's end of a worker's rings, for plain writes and reads. */
export class Client {
  readonly #requests: RingProducer;
  readonly #requestBytes: Uint8Array;
  readonly #outbound: RingConsumer;
  readonly #outboundBytes: Uint8Array;
  readonly #sent: Map<number, Write | undefined> = new Map();
  #answered = 0;
  #requestId = 0;

  constructor(memory: WorkerMemory) {
    this.#requests = new RingProducer(memory.requestRing);
    this.#requestBytes = new Uint8Array(memory.requestRing);
    this.#outbound = new RingConsumer(memory.outboundRing);
    this.#outboundBytes = new Uint8Array(memory.outboundRing);
  }

  get hasRoom(): boolean {
    return this.#requests.hasRoom(1024);
  }

  write(write: Write): void {
    const flags = OPERATION_CLIENT_STAMP | (write.isSafe === true ? OPERATION_SAFE : 0);
    const kind = write.isRemoval === true ? OperationKind.REMOVE : OperationKind.PUT;
    const value = write.isRemoval === true ? '' : valueTextOf(write);
    this.#send(write, { key: write.key, ms: write.ms, kind, flags, value });
  }

  read(key: string): void {
    this.#send(undefined, { key, ms: 0, kind: OperationKind.GET, flags: 0, value: '' });
  }

  /** Reads all answers; those said again after a death of the worker are dropped. */
  listen(onAnswer: (answer: Answer) => void): void {
    while (this.#outbound.next()) {
      const { kind, index: at, words } = this.#outbound;
      const position = words[at + ResultMessage.REQUEST_POSITION];
      if (kind !== OutboundKind.RESULT || ((position - this.#answered) | 0) <= 0) continue;
      this.#answered = position;
      const result = this.#resultAt(at + ResultMessage.BODY, words[at + ResultMessage.BYTES]);
      const lane = words[at + ResultMessage.LANE_POSITION];
      const write = this.#sent.get(result.requestId);
      this.#sent.delete(result.requestId);
      onAnswer({ write, result, lane: words[at + ResultMessage.WAITS] === 0 ? undefined : lane });
    }
    this.#outbound.release();
  }

  /** As `listen` where nobody wants to know. */
  ignore(): void {
    while (this.#outbound.next());
    this.#outbound.release();
    this.#sent.clear();
  }

  #send(
    write: Write | undefined,
    op: { key: string; ms: number; kind: number; flags: number; value: string },
  ): void {
    const key = Buffer.from(op.key);
    const value = Buffer.from(op.value);
    const keyWords = RecordLayout.wordsOf(key.length);
    const length = Operation.KEY + keyWords + RecordLayout.wordsOf(value.length);
    const at = this.#requests.claim(RequestKind.OPERATION, length);
    const { words } = this.#requests;
    words.fill(0, at, at + Operation.KEY);
    words[at + Operation.REQUEST_ID] = ++this.#requestId;
    words[at + Operation.HASH] = hashOf(key);
    words[at + Operation.MAP_KIND_FLAGS] = (MAP_ID << 16) | (op.kind << 8) | op.flags;
    words[at + Operation.MS_LOW] = RecordLayout.lowWord(op.ms);
    words[at + Operation.MS_HIGH_COUNTER] = RecordLayout.highWord(op.ms) << 16;
    words[at + Operation.NODE_VALUE_KIND] = (NODE << 8) | ValueKind.JSON;
    words[at + Operation.LENGTHS] = RecordLayout.packLengths(key.length, value.length);
    bytesToWords(key, 0, key.length, words, this.#requestBytes, at + Operation.KEY);
    const valueAt = at + Operation.KEY + keyWords;
    bytesToWords(value, 0, value.length, words, this.#requestBytes, valueAt);
    this.#requests.commit();
    this.#sent.set(this.#requestId, write);
  }

  #resultAt(index: number, length: number): Result {
    const bytes = this.#outboundBytes.slice(index * 4, index * 4 + length);
    return fromBinary(ResultsSchema, bytes).results[0];
  }
}

/** What a put writes. */
export function valueTextOf({ ms }: Write): string {
  return String(ms);
}
