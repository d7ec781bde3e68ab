import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Code } from '@tidewire/core';
import { EventKind, EventSchema, Level, ServerFrameSchema, ValueKind } from '@tidewire/schemas';
import {
  KEY_BYTES,
  lengthDelimited,
  operationTemplate,
  REQUEST_ID_BASE,
  valueText,
  writeRequestId,
} from '../load/operation-template.js';

const SEQUENCE_MARK = 0x0badcab;
const REQUEST_ID_MARK = 0x71727374;
const STAMP = 0x0192_0000_0000_0000n;
const VALUE_MARK = 'V';

// Tags of ClientFrame's bodies, and of Events in ServerFrame.
const CLOCK = 0x09;
const HELLO = 0x12;
const SUBSCRIBE = 0x22;
const EVENTS = 0x22;
const TOPIC = [0x08, 0x01];
/** Clock, tag and length, topic. */
const HEAD_BYTES_MAX = 16;
const BATCH_BYTES: number = 64 * 1024;

export type Request = 'hello' | 'subscribe' | 'put';

export const WELCOME: Uint8Array = frameOf({ case: 'welcome', value: { protocolVersion: 1 } });
export const SUBSCRIBED: Uint8Array = frameOf({
  case: 'subscribed',
  value: { subscriptionId: 1, topics: [1] },
});

/** What a message of the load generator is; a frame of operations holds one put. */
export function requestOf(message: Uint8Array): Request {
  const tag = message[0] === CLOCK ? message[9] : message[0];
  if (tag === HELLO) return 'hello';
  return tag === SUBSCRIBE ? 'subscribe' : 'put';
}

/** Makes the answers and events of puts of `valueBytes` from templates, as long as the server's. */
export class PublishFrames {
  readonly #result: Uint8Array;
  readonly #resultIdAt: number;
  readonly #event: Uint8Array;
  readonly #sequenceAt: number;
  readonly #eventKeyAt: number;
  readonly #eventValueAt: number;
  readonly #requestIdAt: number;
  readonly #keyAt: number;
  readonly #valueAt: number;
  readonly #valueBytes: number;
  readonly #batch: Uint8Array = new Uint8Array(HEAD_BYTES_MAX + BATCH_BYTES);
  #end = HEAD_BYTES_MAX;
  #sequence = REQUEST_ID_BASE; // always four bytes long

  constructor(valueBytes: number) {
    const put = operationTemplate({
      isGet: false,
      valueBytes,
      stamped: true,
      safe: false,
      operationsPerFrame: 1,
      predicates: 0,
    });
    const operation = put.operationsAt - (put.clockAt - 1);
    this.#requestIdAt = operation + put.requestIdAt;
    this.#keyAt = operation + put.keyAt;
    this.#valueAt = operation + put.writeAt - valueText(valueBytes, 'W').indexOf('W');
    this.#valueBytes = valueBytes;
    const result = resultFrame();
    this.#result = result;
    this.#resultIdAt = result.indexOf(wordBytes(REQUEST_ID_MARK));
    const event = eventEntry(valueBytes);
    this.#event = event;
    this.#sequenceAt = event.indexOf(varintBytes(SEQUENCE_MARK));
    this.#eventKeyAt = event.indexOf('K'.repeat(KEY_BYTES));
    this.#eventValueAt = event.indexOf(VALUE_MARK.repeat(valueBytes));
  }

  get hasRoom(): boolean {
    return this.#end + this.#event.length <= this.#batch.length;
  }

  /** The answer to the put in `message`. Valid until the next call. */
  resultOf(message: Uint8Array): Uint8Array {
    const at = this.#requestIdAt;
    const id =
      (message[at] & 0x7f) |
      ((message[at + 1] & 0x7f) << 7) |
      ((message[at + 2] & 0x7f) << 14) |
      (message[at + 3] << 21);
    for (let i = 0; i < 4; i++) this.#result[this.#resultIdAt + i] = id >>> (8 * i);
    return this.#result;
  }

  /** Adds the event of the put in `message`. REQUIRES: hasRoom. */
  append(message: Uint8Array): void {
    const batch = this.#batch;
    const at = this.#end;
    batch.set(this.#event, at);
    writeRequestId(batch, at + this.#sequenceAt, ++this.#sequence);
    const key = message.subarray(this.#keyAt, this.#keyAt + KEY_BYTES);
    const value = message.subarray(this.#valueAt, this.#valueAt + this.#valueBytes);
    batch.set(key, at + this.#eventKeyAt);
    batch.set(value, at + this.#eventValueAt);
    this.#end = at + this.#event.length;
  }

  /** One frame of all events since the last call, or undefined. Valid until the next append. */
  take(): Uint8Array | undefined {
    const end = this.#end;
    if (end === HEAD_BYTES_MAX) return undefined;
    this.#end = HEAD_BYTES_MAX;
    const clock = [CLOCK, ...wordBytes(0), ...wordBytes(0x0192_0000)];
    const length = varintBytes(end - HEAD_BYTES_MAX + TOPIC.length);
    const head = [...clock, EVENTS, ...length, ...TOPIC];
    const start = HEAD_BYTES_MAX - head.length;
    this.#batch.set(head, start);
    return this.#batch.subarray(start, end);
  }
}

type Body = NonNullable<MessageInitShape<typeof ServerFrameSchema>['body']>;

function frameOf(body: Body): Buffer {
  const frame = create(ServerFrameSchema, { clock: STAMP, body });
  return Buffer.from(toBinary(ServerFrameSchema, frame));
}

function resultFrame(): Buffer {
  const result = {
    outcome: Code.APPLIED,
    level: Level.MEMORY,
    requestId: REQUEST_ID_MARK,
    partition: 1,
    sequence: BigInt(SEQUENCE_MARK),
    stamp: STAMP,
    node: 1,
  };
  return frameOf({ case: 'results', value: { results: [result] } });
}

function eventEntry(valueBytes: number): Buffer {
  const event = create(EventSchema, {
    kind: EventKind.PUT,
    partition: 1,
    sequence: BigInt(SEQUENCE_MARK),
    key: 'K'.repeat(KEY_BYTES),
    value: Buffer.from(VALUE_MARK.repeat(valueBytes)),
    valueKind: ValueKind.JSON,
    stamp: STAMP,
    node: 1,
  });
  return lengthDelimited(0x12, Buffer.from(toBinary(EventSchema, event)));
}

function wordBytes(word: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(word);
  return bytes;
}

function varintBytes(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}
