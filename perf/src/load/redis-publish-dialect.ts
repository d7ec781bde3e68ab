import {
  type Dialect,
  type DialectOptions,
  type Link,
  OUTCOME_DONE,
  REFUSAL_ERROR,
  REQUEST_RANGE,
} from './dialect.js';
import type { KeySource } from './distribution.js';
import { KEY_BYTES, MAP, valueText, writeHex, writeKey } from './operation-template.js';
import type { LoadPlan } from './plan.js';
import { command, lineEnd } from './resp-dialect.js';

const PLUS = 0x2b;
const MINUS = 0x2d;
const COLON = 0x3a;
const STAR = 0x2a;
const WRITE_MARK = 'CDCDCDCD';

/**
 * A write as a user of Redis makes it known: SET, then PUBLISH of key and value to the channel of
 * the map. One operation is both; it is answered when both are, and refused if either failed.
 */
export class RedisPublishDialect implements Dialect {
  readonly frameBytesMax: number;
  readonly operationsPerFrame = 1;
  readonly #link: Link;
  readonly #keys: KeySource;
  readonly #isSubscriber: boolean;
  readonly #template: Buffer;
  readonly #keyAts: readonly number[];
  readonly #writeAts: readonly number[];
  /** Bytes of a whole published message, and where in it the write's number is. */
  readonly #messageBytes: number;
  readonly #messageWriteAt: number;
  #isSubscribed = false;
  #isSet = false;
  #answered = 0;

  constructor(plan: LoadPlan, options: DialectOptions) {
    const key = 'K'.repeat(KEY_BYTES);
    const value = valueText(plan.valueBytes, WRITE_MARK);
    const told = `${key} ${value}`;
    this.#template = Buffer.concat([command('SET', key, value), command('PUBLISH', MAP, told)]);
    this.#keyAts = placesOf(this.#template, key);
    this.#writeAts = placesOf(this.#template, WRITE_MARK);
    const message = command('message', MAP, told);
    this.#messageBytes = message.length;
    this.#messageWriteAt = message.indexOf(WRITE_MARK);
    this.frameBytesMax = this.#template.length;
    this.#link = options.link;
    this.#keys = options.keys;
    this.#isSubscriber = options.isSubscriber;
  }

  greeting(): Uint8Array {
    return this.#isSubscriber ? command('SUBSCRIBE', MAP) : new Uint8Array(0);
  }

  encode(target: Uint8Array, at: number, request: number): number {
    target.set(this.#template, at);
    const key = this.#keys.next();
    for (const keyAt of this.#keyAts) writeKey(target, at + keyAt, key);
    for (const writeAt of this.#writeAts) writeHex(target, at + writeAt, request);
    return this.#template.length;
  }

  scan(bytes: Buffer, from: number, to: number): number {
    return this.#isSubscriber ? this.#scanMessages(bytes, from, to) : this.#scan(bytes, from, to);
  }

  /** Two lines an operation: `+OK`, then `:<receivers>`. */
  #scan(bytes: Buffer, from: number, to: number): number {
    let at = from;
    for (;;) {
      const line = lineEnd(bytes, at, to);
      if (line < 0) return at;
      const kind = bytes[at];
      if (kind === PLUS) this.#isSet = true;
      else if (kind === COLON) this.#answer(this.#isSet);
      else if (kind !== MINUS) this.#link.fail('an unexpected answer of Redis');
      at = line;
    }
  }

  #answer(isSet: boolean): void {
    this.#link.answer(this.#answered, isSet ? OUTCOME_DONE : 0, isSet ? 0 : REFUSAL_ERROR);
    this.#answered = (this.#answered + 1) & (REQUEST_RANGE - 1);
    this.#isSet = false;
  }

  #scanMessages(bytes: Buffer, from: number, to: number): number {
    let at = from;
    if (!this.#isSubscribed) {
      const confirmation = bytes.toString('latin1', from, to);
      const end = /^\*3\r\n\$9\r\nsubscribe\r\n\$\d+\r\n\w+\r\n:1\r\n/.exec(confirmation)?.[0]
        .length;
      if (end === undefined) return from;
      this.#isSubscribed = true;
      this.#link.ready();
      at += end;
    }
    for (; to - at >= this.#messageBytes; at += this.#messageBytes) {
      if (bytes[at] !== STAR) this.#link.fail('a message of Redis was expected');
      this.#link.event(0, readHex(bytes, at + this.#messageWriteAt) + 1);
    }
    return at;
  }
}

function placesOf(bytes: Buffer, mark: string): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 1)) places.push(at);
  return places;
}

/** A number of eight hexadecimal digits, as `writeHex` writes it. */
export function readHex(bytes: Uint8Array, at: number): number {
  let number = 0;
  for (let i = 0; i < 8; i++) {
    const digit = bytes[at + i];
    number = number * 16 + (digit > 0x39 ? digit - 0x57 : digit - 0x30);
  }
  return number;
}
