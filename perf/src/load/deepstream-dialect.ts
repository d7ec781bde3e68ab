import {
  type Dialect,
  type DialectOptions,
  type Link,
  OUTCOME_DONE,
  REFUSAL_ERROR,
} from './dialect.js';
import type { KeySource } from './distribution.js';
import { KEY_BYTES, keyText, valueText, writeHex, writeKey } from './operation-template.js';
import type { LoadPlan } from './plan.js';
import { readHex } from './redis-publish-dialect.js';
import { maskedMessage, upgradeRequest, WebSocketReader } from './websocket.js';

// Topics and actions of deepstream's protocol 0.1.
const CONNECTION = 2;
const AUTHENTICATION = 3;
const RECORD = 5;
const PING = 2;
const PONG = 3;
const ACCEPT = 4;
const CHALLENGE = 5;
const AUTH_REQUEST = 2;
const AUTH_SUCCESSFUL = 3;
const WRITE_ACKNOWLEDGEMENT = 14;
const CREATE_AND_UPDATE = 16;
const UPDATE = 18;
const SUBSCRIBE = 25;

// Tags of a record message's fields.
const ACTION = 0x08;
const DATA = 0x12;
const CORRELATION = 0x1a;
const IS_ERROR = 0x20;
const NAME = 0x32;
const NAMES = 0x3a;
const IS_WRITE_ACK = 0x58;
const VERSION = 0x68;
/** −1: take the update whatever the record's version is. */
const ANY_VERSION: Buffer = Buffer.from([VERSION, ...Array<number>(9).fill(0xff), 1]);

/** Records of deepstream, each set as a whole with a write acknowledgement. */
export class DeepstreamDialect extends WebSocketReader implements Dialect {
  readonly frameBytesMax: number;
  readonly operationsPerFrame = 1;
  readonly #link: Link;
  readonly #keys: KeySource;
  readonly #plan: LoadPlan;
  readonly #isSubscriber: boolean;
  readonly #template: Buffer;
  readonly #keyAt: number;
  readonly #requestAt: number;
  readonly #writeAt: number;
  /** Offset of the write's number in a value. */
  readonly #markAt: number;
  /** Behind the varint last read. */
  #next = 0;

  constructor(plan: LoadPlan, options: DialectOptions) {
    super();
    const key = 'K'.repeat(KEY_BYTES);
    const value = valueText(plan.valueBytes, 'CDCDCDCD');
    const write = message(
      RECORD,
      Buffer.from([ACTION, CREATE_AND_UPDATE]),
      text(DATA, value),
      text(CORRELATION, 'RRRRRRRR'),
      text(NAME, key),
      Buffer.from([IS_WRITE_ACK, 1]),
      ANY_VERSION,
    );
    this.#template = Buffer.from(maskedMessage(write));
    this.#keyAt = this.#template.indexOf(key);
    this.#requestAt = this.#template.indexOf('RRRRRRRR');
    this.#writeAt = this.#template.indexOf('CDCDCDCD');
    this.#markAt = value.indexOf('CDCDCDCD');
    this.frameBytesMax = this.#template.length;
    this.#plan = plan;
    this.#link = options.link;
    this.#keys = options.keys;
    this.#isSubscriber = options.isSubscriber;
  }

  greeting(): Uint8Array {
    return upgradeRequest(this.#plan.port);
  }

  encode(target: Uint8Array, at: number, request: number): number {
    target.set(this.#template, at);
    writeKey(target, at + this.#keyAt, this.#keys.next());
    writeHex(target, at + this.#requestAt, request);
    writeHex(target, at + this.#writeAt, request);
    return this.#template.length;
  }

  protected override onUpgrade(): void {
    const url = text(0x2a, `ws://127.0.0.1:${this.#plan.port}/`);
    this.#send(message(CONNECTION, Buffer.from([ACTION, CHALLENGE]), url, text(0x32, '0.1')));
  }

  protected override onPing(pong: Uint8Array): void {
    this.#link.write(pong);
  }

  protected override onFault(fault: string): void {
    this.#link.fail(fault);
  }

  /** Messages one behind the other: length, 0x10 topic, 0x1a length, body. */
  protected override onMessage(bytes: Buffer, from: number, to: number): void {
    let at = from;
    while (at < to) {
      const length = this.#varint(bytes, at);
      const start = this.#next;
      const end = start + length;
      const topic = bytes[start + 1];
      this.#varint(bytes, start + 3);
      if (topic === RECORD) this.#onRecord(bytes, this.#next, end);
      else this.#onControl(topic, bytes[this.#next + 1]);
      at = end;
    }
  }

  #onControl(topic: number, action: number): void {
    if (topic === CONNECTION && action === PING)
      this.#send(message(CONNECTION, Buffer.from([ACTION, PONG])));
    else if (topic === CONNECTION && action === ACCEPT)
      this.#send(message(AUTHENTICATION, Buffer.from([ACTION, AUTH_REQUEST]), text(DATA, '{}')));
    else if (topic === AUTHENTICATION && action === AUTH_SUCCESSFUL) this.#onAuthenticated();
    else this.#link.fail(`deepstream: topic ${topic}, action ${action}`);
  }

  /** Records are subscribed to by name: all of them at once. */
  #onAuthenticated(): void {
    if (!this.#isSubscriber) {
      this.#link.ready();
      return;
    }
    const names = Array.from({ length: this.#plan.keys }, (_, key) => text(NAMES, keyText(key)));
    const head = [Buffer.from([ACTION, SUBSCRIBE]), text(CORRELATION, 'subscribe')];
    this.#send(message(RECORD, ...head, ...names));
  }

  #onRecord(bytes: Buffer, from: number, end: number): void {
    const action = bytes[from + 1];
    let isError = false;
    let data = -1;
    let correlation = -1;
    for (let at = from + 2; at < end; at = this.#next) {
      const tag = bytes[at];
      const value = this.#varint(bytes, at + 1);
      if (tag === IS_ERROR) isError = value === 1;
      if ((tag & 7) !== 2) continue;
      if (tag === DATA) data = this.#next;
      if (tag === CORRELATION) correlation = this.#next;
      this.#next += value;
    }
    if (action === WRITE_ACKNOWLEDGEMENT) this.#answer(bytes, correlation, isError);
    else if (action === UPDATE || action === CREATE_AND_UPDATE)
      this.#link.event(0, readHex(bytes, data + this.#markAt) + 1);
    else if (action === SUBSCRIBE) this.#link.ready();
    else this.#link.fail(`deepstream: record action ${action}`);
  }

  #answer(bytes: Buffer, correlation: number, isError: boolean): void {
    const request = readHex(bytes, correlation);
    this.#link.answer(request, isError ? 0 : OUTCOME_DONE, isError ? REFUSAL_ERROR : 0);
  }

  #send(body: Uint8Array): void {
    this.#link.write(maskedMessage(body));
  }

  #varint(bytes: Buffer, from: number): number {
    let at = from;
    let byte = bytes[at++];
    let value = byte & 0x7f;
    for (let scale = 0x80; byte > 0x7f; scale *= 0x80) {
      byte = bytes[at++];
      value += (byte & 0x7f) * scale;
    }
    this.#next = at;
    return value;
  }
}

function message(topic: number, ...fields: Uint8Array[]): Buffer {
  const body = Buffer.concat(fields);
  const head = Buffer.from([0x10, topic, 0x1a, ...varint(body.length)]);
  return Buffer.concat([Buffer.from(varint(head.length + body.length)), head, body]);
}

function text(tag: number, words: string): Buffer {
  const bytes = Buffer.from(words);
  return Buffer.concat([Buffer.from([tag, ...varint(bytes.length)]), bytes]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}
