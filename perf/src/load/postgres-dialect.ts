import {
  type Dialect,
  type DialectOptions,
  type Link,
  OUTCOME_DONE,
  REFUSAL_ERROR,
  REQUEST_RANGE,
} from './dialect.js';
import type { KeySource } from './distribution.js';
import { KEY_BYTES, valueText, writeHex, writeKey } from './operation-template.js';
import type { LoadPlan } from './plan.js';

export const POSTGRES_USER = 'tidewire';
export const POSTGRES_DATABASE = 'postgres';
export const POSTGRES_TABLE = 'bench';

const PROTOCOL = 196_608; // 3.0
const STATEMENT = 'put';
const UPSERT: string =
  `INSERT INTO ${POSTGRES_TABLE} (key, value) VALUES ($1, $2) ` +
  'ON CONFLICT (key) DO UPDATE SET value = excluded.value';

// Kinds of the server's messages.
const AUTHENTICATION = 0x52;
const ERROR = 0x45;
const READY = 0x5a;
const HEADER_BYTES = 5;

/**
 * Postgres's protocol 3: a prepared upsert an operation, each a transaction of its own (Bind,
 * Execute, Sync), pipelined. Answered when the server is ready again: the commit is on disk.
 */
export class PostgresDialect implements Dialect {
  readonly frameBytesMax: number;
  readonly operationsPerFrame = 1;
  readonly #link: Link;
  readonly #keys: KeySource;
  readonly #template: Buffer;
  readonly #keyAt: number;
  readonly #writeAt: number;
  #isPrepared = false;
  #isReady = false;
  #isFailed = false;
  #answered = 0;

  constructor(plan: LoadPlan, options: DialectOptions) {
    const key = 'K'.repeat(KEY_BYTES);
    this.#template = operation(key, valueText(plan.valueBytes, 'CDCDCDCD'));
    this.#keyAt = this.#template.indexOf(key);
    this.#writeAt = this.#template.indexOf('CDCDCDCD');
    this.frameBytesMax = this.#template.length;
    this.#link = options.link;
    this.#keys = options.keys;
  }

  greeting(): Uint8Array {
    const settings = ['user', POSTGRES_USER, 'database', POSTGRES_DATABASE];
    return withLength(int32(PROTOCOL), Buffer.from(`${settings.join('\0')}\0\0`));
  }

  encode(target: Uint8Array, at: number, request: number): number {
    target.set(this.#template, at);
    writeKey(target, at + this.#keyAt, this.#keys.next());
    writeHex(target, at + this.#writeAt, request);
    return this.#template.length;
  }

  scan(bytes: Buffer, from: number, to: number): number {
    let at = from;
    while (to - at >= HEADER_BYTES) {
      const end = at + 1 + bytes.readInt32BE(at + 1);
      if (end > to) return at;
      this.#onMessage(bytes, at, end);
      at = end;
    }
    return at;
  }

  #onMessage(bytes: Buffer, from: number, end: number): void {
    const kind = bytes[from];
    if (kind === READY) this.#onReady();
    else if (kind === ERROR && this.#isReady) this.#isFailed = true;
    else if (kind === ERROR) this.#link.fail(`Postgres: ${bytes.toString('latin1', from, end)}`);
    else if (kind === AUTHENTICATION && bytes.readInt32BE(from + HEADER_BYTES) !== 0)
      this.#link.fail('Postgres asks for a password');
  }

  #onReady(): void {
    if (!this.#isPrepared) {
      const parse = message('P', Buffer.from(`${STATEMENT}\0${UPSERT}\0`), int16(0));
      this.#link.write(Buffer.concat([parse, message('S')]));
      this.#isPrepared = true;
    } else if (!this.#isReady) {
      this.#isReady = true;
      this.#link.ready();
    } else this.#answer();
  }

  #answer(): void {
    const isFailed = this.#isFailed;
    this.#isFailed = false;
    this.#link.answer(this.#answered, isFailed ? 0 : OUTCOME_DONE, isFailed ? REFUSAL_ERROR : 0);
    this.#answered = (this.#answered + 1) & (REQUEST_RANGE - 1);
  }
}

/** Bind of both parameters as text, Execute, Sync. */
function operation(key: string, value: string): Buffer {
  const parameters = [key, value].flatMap((text) => [int32(text.length), Buffer.from(text)]);
  const target = Buffer.from(`\0${STATEMENT}\0`);
  const bind = message('B', target, int16(0), int16(2), ...parameters, int16(0));
  return Buffer.concat([bind, message('E', Buffer.from('\0'), int32(0)), message('S')]);
}

function message(kind: string, ...parts: Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.from(kind), withLength(...parts)]);
}

/** `parts` behind their length, which counts itself. */
function withLength(...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([int32(body.length + 4), body]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
