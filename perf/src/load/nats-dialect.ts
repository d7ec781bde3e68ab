import {
  type Dialect,
  type DialectOptions,
  type Link,
  OUTCOME_DONE,
  REFUSAL_ERROR,
} from './dialect.js';
import type { KeySource } from './distribution.js';
import { KEY_BYTES, MAP, valueText, writeHex, writeKey } from './operation-template.js';
import type { LoadPlan } from './plan.js';
import { readHex } from './redis-publish-dialect.js';
import { lineEnd } from './resp-dialect.js';

/** The stream behind the key-value bucket, and the subjects of its keys. */
export const STREAM: string = `KV_${MAP}`;
const SUBJECTS = `$KV.${MAP}`;
const HELLO = { verbose: false, pedantic: false, headers: true, no_responders: true, protocol: 1 };

// Subscription ids on a connection, one digit each.
const ANSWERS = 1;
const EVENTS = 2;

const SPACE = 0x20;
const DOT = 0x2e;
const UNDERSCORE = 0x5f;
const LETTER_E = 0x65;
const LETTER_H = 0x48;
const LETTER_M = 0x4d;
const LETTER_I = 0x49;
const DIGIT_0 = 0x30;
/** Which part of `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.…` is the stream's sequence. */
const SEQUENCE_PART = 5;

/**
 * JetStream key-value over NATS's text protocol: a put is a publish to the key's subject, answered
 * by the stream's acknowledgement; a watch is an ordered push consumer of new messages. A bucket
 * keeps one value a key: a write overtaken before the watcher got it leaves a gap in the stream's
 * sequence. Such a write is conflated, not lost; it is booked with the event that comes after it.
 */
export class NatsDialect implements Dialect {
  readonly frameBytesMax: number;
  readonly operationsPerFrame = 1;
  readonly #link: Link;
  readonly #keys: KeySource;
  readonly #isSubscriber: boolean;
  readonly #inbox: string;
  readonly #template: Buffer;
  readonly #keyAt: number;
  readonly #requestAt: number;
  readonly #writeAt: number;
  #isReady = false;
  /** The stream's sequence up to which the watcher knows what became of the writes. */
  #delivered = 0;

  constructor(plan: LoadPlan, options: DialectOptions) {
    this.#inbox = `_INBOX.${String(options.connection).padStart(4, '0')}`;
    const key = 'K'.repeat(KEY_BYTES);
    const value = valueText(plan.valueBytes, 'CDCDCDCD');
    const head = `PUB ${SUBJECTS}.${key} ${this.#inbox}.RRRRRRRR ${value.length}`;
    this.#template = Buffer.from(`${head}\r\n${value}\r\n`);
    this.#keyAt = this.#template.indexOf(key);
    this.#requestAt = this.#template.indexOf('RRRRRRRR');
    this.#writeAt = this.#template.indexOf('CDCDCDCD');
    this.frameBytesMax = this.#template.length;
    this.#link = options.link;
    this.#keys = options.keys;
    this.#isSubscriber = options.isSubscriber;
  }

  greeting(): Uint8Array {
    const lines = [`CONNECT ${JSON.stringify(HELLO)}`, `SUB ${this.#inbox}.* ${ANSWERS}`];
    if (this.#isSubscriber) lines.push(...this.#watch());
    else lines.push('PING');
    return Buffer.from(lines.map((line) => `${line}\r\n`).join(''));
  }

  encode(target: Uint8Array, at: number, request: number): number {
    target.set(this.#template, at);
    writeKey(target, at + this.#keyAt, this.#keys.next());
    target[at + this.#keyAt + 3] = UNDERSCORE; // a colon may not stand in a key
    writeHex(target, at + this.#requestAt, request);
    writeHex(target, at + this.#writeAt, request);
    return this.#template.length;
  }

  scan(bytes: Buffer, from: number, to: number): number {
    let at = from;
    for (;;) {
      const line = lineEnd(bytes, at, to);
      if (line < 0) return at;
      const kind = bytes[at];
      if (kind === LETTER_M || kind === LETTER_H) {
        const end = line + numberBefore(bytes, line - 2) + 2;
        if (end > to) return at;
        if (kind === LETTER_M) this.#onMessage(bytes, at, line, end);
        else this.#onStatus(bytes, at, line, end);
        at = end;
      } else {
        this.#onLine(bytes, at, line);
        at = line;
      }
    }
  }

  /** The lines that ask for an ordered consumer, as the client library's `watch` does. */
  #watch(): string[] {
    const config = {
      deliver_subject: `_WATCH${this.#inbox}`,
      deliver_policy: 'new',
      ack_policy: 'none',
      max_deliver: 1,
      replay_policy: 'instant',
      filter_subject: `${SUBJECTS}.>`,
      flow_control: true,
      idle_heartbeat: 5e9,
      mem_storage: true,
      num_replicas: 1,
    };
    const request = JSON.stringify({ stream_name: STREAM, config });
    return [
      `SUB ${config.deliver_subject} ${EVENTS}`,
      `PUB $JS.API.CONSUMER.CREATE.${STREAM} ${this.#inbox}.created ${request.length}`,
      request,
    ];
  }

  /** `MSG <subject> <sid> [reply] <bytes>` at `from`, its payload from `line` on. */
  #onMessage(bytes: Buffer, from: number, line: number, end: number): void {
    const sid = behind(bytes, from + 4, SPACE, 1);
    if (bytes[sid] === DIGIT_0 + EVENTS) {
      const sequence = numberAt(bytes, behind(bytes, sid + 2, DOT, SEQUENCE_PART));
      while (this.#delivered < sequence) this.#link.event(0, ++this.#delivered);
    } else if (this.#isReady && !this.#isSubscriber) {
      const isError = bytes[line + 2] === LETTER_E; // {"error":… instead of {"stream":…
      this.#answer(bytes, sid, isError);
    } else {
      this.#onWatching(bytes.toString('utf8', line, end));
    }
  }

  #onWatching(answer: string): void {
    const info = JSON.parse(answer) as { delivered?: { stream_seq: number } };
    if (info.delivered === undefined) this.#link.fail(`NATS: ${answer}`);
    this.#delivered = info.delivered?.stream_seq ?? 0;
    this.#becomeReady();
  }

  /** `HMSG`: a heartbeat, a request of flow control, or "nobody listens". */
  #onStatus(bytes: Buffer, from: number, line: number, end: number): void {
    const words = bytes.toString('latin1', from, line - 2).split(' ');
    const status = bytes.toString('latin1', line, end).split('\r\n', 1)[0];
    if (words[2] === String(ANSWERS)) this.#answer(bytes, behind(bytes, from + 5, SPACE, 1), true);
    else if (words.length === 6 && words[3] !== '')
      this.#link.write(Buffer.from(`PUB ${words[3]} 0\r\n\r\n`));
    else if (!status.includes(' 100 ')) this.#link.fail(`NATS: ${status}`);
  }

  #onLine(bytes: Buffer, from: number, line: number): void {
    const text = bytes.toString('latin1', from, line - 2);
    if (text === 'PING') this.#link.write(Buffer.from('PONG\r\n'));
    else if (text === 'PONG') this.#becomeReady();
    else if (bytes[from] !== LETTER_I) this.#link.fail(`NATS: ${text}`);
  }

  #becomeReady(): void {
    this.#isReady = true;
    this.#link.ready();
  }

  /** The request's number ends the subject, which ends before the sid. */
  #answer(bytes: Buffer, sid: number, isError: boolean): void {
    const request = readHex(bytes, sid - 9);
    this.#link.answer(request, isError ? 0 : OUTCOME_DONE, isError ? REFUSAL_ERROR : 0);
  }
}

/** Index behind the `count`-th `mark` from `from` on. */
function behind(bytes: Uint8Array, from: number, mark: number, count: number): number {
  let at = from;
  for (let left = count; left > 0; at++) if (bytes[at] === mark) left--;
  return at;
}

function numberAt(bytes: Uint8Array, from: number): number {
  let number = 0;
  for (let at = from; bytes[at] >= DIGIT_0 && bytes[at] <= 0x39; at++)
    number = number * 10 + bytes[at] - DIGIT_0;
  return number;
}

/** The number whose last digit stands before `end`. */
function numberBefore(bytes: Uint8Array, end: number): number {
  let at = end;
  while (bytes[at - 1] >= DIGIT_0 && bytes[at - 1] <= 0x39) at--;
  return numberAt(bytes, at);
}
