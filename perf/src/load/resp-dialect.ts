import {
  type Dialect,
  type DialectOptions,
  type Link,
  OUTCOME_ABSENT,
  OUTCOME_DONE,
  OUTCOME_FOUND,
  REFUSAL_ERROR,
  REQUEST_RANGE,
} from './dialect.js';
import { OperationMix } from './operation-mix.js';
import { KEY_BYTES, valueText, writeHex, writeKey } from './operation-template.js';
import type { LoadPlan } from './plan.js';

const PLUS = 0x2b;
const MINUS = 0x2d;
const DOLLAR = 0x24;
const LINE_FEED = 0x0a;

/** Redis: SET and GET of the same keys and values; answers come in the order of the requests. */
export class RespDialect implements Dialect {
  readonly frameBytesMax: number;
  readonly operationsPerFrame = 1;
  readonly #link: Link;
  readonly #mix: OperationMix;
  readonly #set: Buffer;
  readonly #get: Buffer;
  readonly #setKeyAt: number;
  readonly #getKeyAt: number;
  readonly #writeAt: number;
  #answered = 0;

  constructor(plan: LoadPlan, options: DialectOptions) {
    const key = 'K'.repeat(KEY_BYTES);
    const value = valueText(plan.valueBytes, 'CDCDCDCD');
    this.#set = command('SET', key, value);
    this.#get = command('GET', key);
    this.#setKeyAt = this.#set.indexOf(key);
    this.#getKeyAt = this.#get.indexOf(key);
    this.#writeAt = this.#set.indexOf('CDCDCDCD');
    this.frameBytesMax = this.#set.length;
    this.#link = options.link;
    this.#mix = new OperationMix(plan, options);
  }

  greeting(): Uint8Array {
    return new Uint8Array(0);
  }

  encode(target: Uint8Array, at: number, request: number): number {
    const isGet = this.#mix.next();
    const template = isGet ? this.#get : this.#set;
    target.set(template, at);
    writeKey(target, at + (isGet ? this.#getKeyAt : this.#setKeyAt), this.#mix.keyOf(request));
    if (!isGet) writeHex(target, at + this.#writeAt, request);
    return template.length;
  }

  scan(bytes: Buffer, from: number, to: number): number {
    let at = from;
    while (at < to) {
      const line = lineEnd(bytes, at, to);
      if (line < 0) return at;
      const kind = bytes[at];
      if (kind === PLUS) this.#answer(OUTCOME_DONE, 0);
      else if (kind === MINUS) this.#answer(0, REFUSAL_ERROR);
      else if (kind === DOLLAR) {
        const end = this.#bulk(bytes, at, line, to);
        if (end < 0) return at;
        at = end;
        continue;
      } else this.#link.fail('an unexpected answer of Redis');
      at = line;
    }
    return at;
  }

  /** A value, or `$-1`. Returns its end, or −1 if it is not there in full. */
  #bulk(bytes: Buffer, at: number, line: number, to: number): number {
    if (bytes[at + 1] === MINUS) {
      this.#answer(OUTCOME_ABSENT, 0);
      return line;
    }
    let length = 0;
    for (let i = at + 1; i < line - 2; i++) length = length * 10 + bytes[i] - 0x30;
    const end = line + length + 2;
    if (end > to) return -1;
    this.#answer(OUTCOME_FOUND, 0);
    return end;
  }

  #answer(outcome: number, refusal: number): void {
    this.#mix.onAnswer(this.#answered, outcome);
    this.#link.answer(this.#answered, outcome, refusal);
    this.#answered = (this.#answered + 1) & (REQUEST_RANGE - 1);
  }
}

/** Index behind the line that starts at `from`, or −1. */
export function lineEnd(bytes: Buffer, from: number, to: number): number {
  for (let at = from; at < to; at++) if (bytes[at] === LINE_FEED) return at + 1;
  return -1;
}

export function command(...words: string[]): Buffer {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${parts.join('')}`);
}
