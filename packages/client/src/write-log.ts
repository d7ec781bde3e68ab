import { CLIENT_LOG_BYTES_MAX, CLIENT_LOG_WRITES_MAX, Code } from '@tidewire/core';
import type { PartitionSequence } from '@tidewire/schemas';
import type { Connection } from './connection.js';
import type { Environment } from './environment.js';
import { TidewireError } from './error.js';
import type { OperationDraft, OperationSender } from './operation-sender.js';
import { encodeAskDurable, OPERATION_OVERHEAD_BYTES } from './protocol.js';
import { writeResultOf } from './result.js';
import type { ServerClock } from './server-clock.js';
import { compareStamps, type Stamp } from './stamp.js';
import type { WriteResult } from './write-result.js';

/** How long after a write, or after the last answer, the server is asked how far its database is. */
const ASK_INTERVAL_MS = 1000;
/** Before writes that were refused for now are sent again. */
const RETRY_MS = 1000;
/** Lost writes under way at one time: the window is shared with the application's own. */
const SENDING_MAX = 256;

interface Logged {
  readonly draft: OperationDraft;
  readonly sequence: number;
}

interface LogOptions {
  readonly sender: OperationSender;
  readonly connection: Connection;
  readonly clock: ServerClock;
  readonly environment: Environment;
}

/**
 * Keeps what memory has acknowledged until the database has it: a server that is started anew may have
 * lost it, and is sent it again under its stamp, which is harmless if it has not. Of a key its latest
 * write; not an update, whose effect depends on what stands, nor what lives with its connection.
 */
export class WriteLog {
  readonly #options: LogOptions;
  /** By partition, in the order of their sequences; the writes of each by name. */
  readonly #logged: Map<number, Map<string, Logged>> = new Map();
  /** To be sent again, by name. */
  readonly #lost: Map<string, OperationDraft> = new Map();
  #writes = 0;
  #bytes = 0;
  #store: bigint | undefined;
  #epoch = 0n;
  #sending = 0;
  /** A question is due or under way. */
  #isAsking = false;
  #cancelAsk: () => void = () => {};
  #cancelRetry: (() => void) | undefined;

  constructor(options: LogOptions) {
    this.#options = options;
  }

  /** Sends a write; the log has it from the server's answer on. */
  submit(draft: OperationDraft): Promise<WriteResult> {
    return this.#options.sender.submit(draft, (result) => {
      const written = writeResultOf(result);
      if (isLoggable(draft, written)) this.#log(draft, written);
      return written;
    });
  }

  /** A connection stands. Another epoch of the same store: what it has not saved may be lost. */
  onReady(): void {
    const { store, epoch } = this.#options.connection.server;
    const isOther = store !== this.#store;
    if (isOther || epoch !== this.#epoch) this.#suspectAll();
    if (isOther) this.#forgetLost();
    this.#store = store;
    this.#epoch = epoch;
    this.#maybeAsk();
    this.#sendLost();
  }

  onLost(): void {
    this.#cancelAsk();
    this.#isAsking = false;
  }

  onEnd(): void {
    this.onLost();
    this.#cancelRetry?.();
    this.#forgetLost();
    this.#logged.clear();
  }

  /** Everything up to these sequences is in the database. */
  onDurable(durable: readonly PartitionSequence[]): void {
    for (const { partition, sequence } of durable) this.#trim(partition, Number(sequence));
    this.#isAsking = false;
    this.#maybeAsk();
  }

  #log(draft: OperationDraft, { partition, sequence }: WriteResult): void {
    const name = nameOf(draft);
    const lost = this.#lost.get(name);
    if (lost !== undefined && compareStamps(stampOf(lost), stampOf(draft)) <= 0)
      this.#dropLost(name, lost);
    const writes = this.#logged.get(partition) ?? new Map<string, Logged>();
    const earlier = writes.get(name);
    if (earlier !== undefined) this.#drop(writes, name, earlier);
    if (!this.#hasRoomFor(draft)) return;
    this.#count(draft, 1);
    writes.set(name, { draft: { ...draft, value: draft.value.slice() }, sequence });
    this.#logged.set(partition, writes);
    this.#maybeAsk();
  }

  #trim(partition: number, durable: number): void {
    const writes = this.#logged.get(partition);
    if (writes === undefined) return;
    for (const [name, logged] of writes) {
      if (logged.sequence > durable) break;
      this.#drop(writes, name, logged);
    }
    if (writes.size === 0) this.#logged.delete(partition);
  }

  #maybeAsk(): void {
    if (this.#isAsking || this.#logged.size === 0) return;
    this.#isAsking = true;
    this.#cancelAsk = this.#options.environment.startTimer(() => this.#ask(), ASK_INTERVAL_MS);
  }

  #ask(): void {
    const { connection, clock } = this.#options;
    connection.send(encodeAskDurable(clock.packed, [...this.#logged.keys()]));
  }

  #suspectAll(): void {
    for (const writes of this.#logged.values())
      for (const [name, { draft }] of writes) this.#lost.set(name, draft);
    this.#logged.clear();
  }

  /** Goes on with each answer. */
  #sendLost(): void {
    for (const [name, draft] of this.#lost) {
      if (this.#sending >= SENDING_MAX || this.#cancelRetry !== undefined) return;
      this.#dropLost(name, draft);
      this.#sending++;
      this.submit(draft)
        .catch((error: unknown) => this.#onRefused(name, draft, error))
        .finally(() => {
          this.#sending--;
          this.#sendLost();
        });
    }
  }

  #onRefused(name: string, draft: OperationDraft, error: unknown): void {
    const { environment, connection } = this.#options;
    const code = error instanceof TidewireError ? error.code : Code.UNSPECIFIED;
    // TOO_OLD: the key has been removed since by a write that the server has forgotten.
    if (connection.state === 'closed' || code === Code.TOO_OLD) return;
    if (!PASSING.has(code)) return environment.reportError(error);
    if (!this.#lost.has(name) && this.#hasRoomFor(draft)) {
      this.#lost.set(name, draft);
      this.#count(draft, 1);
    }
    this.#cancelRetry ??= environment.startTimer(() => {
      this.#cancelRetry = undefined;
      this.#sendLost();
    }, RETRY_MS);
  }

  #hasRoomFor(draft: OperationDraft): boolean {
    const bytes = this.#bytes + bytesOf(draft);
    return this.#writes < CLIENT_LOG_WRITES_MAX && bytes <= CLIENT_LOG_BYTES_MAX;
  }

  #drop(writes: Map<string, Logged>, name: string, { draft }: Logged): void {
    writes.delete(name);
    this.#count(draft, -1);
  }

  #dropLost(name: string, draft: OperationDraft): void {
    this.#lost.delete(name);
    this.#count(draft, -1);
  }

  #forgetLost(): void {
    for (const [name, draft] of this.#lost) this.#dropLost(name, draft);
  }

  #count(draft: OperationDraft, change: 1 | -1): void {
    this.#writes += change;
    this.#bytes += change * bytesOf(draft);
  }
}

/** Worth another attempt: it would be lost otherwise. */
const PASSING: ReadonlySet<Code> = new Set([Code.OVERLOADED, Code.UNAVAILABLE, Code.UNCERTAIN]);

function isLoggable(draft: OperationDraft, { outcome, level }: WriteResult): boolean {
  const isPlain = draft.guard === undefined && draft.whileConnected !== true;
  return isPlain && outcome !== 'SUPERSEDED' && level !== 'DATABASE';
}

/** Plain writes have one. */
function stampOf({ stamp }: OperationDraft): Stamp {
  return stamp as Stamp;
}

function nameOf({ map, key }: OperationDraft): string {
  return `${map}\0${key}`; // neither has a NUL
}

function bytesOf({ nameBytes, value }: OperationDraft): number {
  return OPERATION_OVERHEAD_BYTES + nameBytes + value.length;
}
