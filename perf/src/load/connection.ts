import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { IN_FLIGHT_MAX, PARTITIONS } from '@tidewire/core';
import { type Dialect, type Link, type LoadClock, REQUEST_RANGE } from './dialect.js';
import { Inbox } from './inbox.js';
import type { LatencyRecorder } from './latency.js';
import { Ledger } from './ledger.js';

const INBOX_BYTES: number = 128 * 1024;
/** In a busy closed loop one answer of so many has its latency recorded: that keeps it cheap. */
const SAMPLE_MASK = 15;
const BUSY_WINDOW = 16;
const LEDGER_ENTRIES = 8192;
/** Refusals come at once, and overtake many an operation that waits for its turn. */
const OVERLOAD_ENTRIES = 1_048_576;

/** When a connection sends: its part of a run. Times are of `performance.now()`. */
export interface Pace {
  /** Intended time of its first operation. */
  readonly firstAt: number;
  /** Between its operations; 0: as soon as the window allows (closed loop). */
  readonly intervalMs: number;
  readonly operations: number;
  /** Requests in flight, at most the connection's. */
  readonly window: number;
}

/** One connection, its window of open requests and its books. */
export class Connection implements Link {
  readonly ledger: Ledger;
  events = 0;
  disordered = 0;
  #pace: Pace | undefined;
  #sent = 0;
  #request = 0;
  #dialect!: Dialect;
  #socket!: Socket;
  #outbox: Buffer = Buffer.alloc(0);
  #outboxAt = 0;
  #onReady: () => void = () => {};
  readonly #inbox: Inbox = new Inbox(INBOX_BYTES);
  readonly #window: number;
  readonly #sampleMask: number;
  readonly #clock: LoadClock;
  readonly #latency: LatencyRecorder;
  readonly #onFail: (message: string) => void;
  readonly #sequences: Float64Array = new Float64Array(PARTITIONS);

  constructor(options: {
    window: number;
    clock: LoadClock;
    latency: LatencyRecorder;
    onFail: (message: string) => void;
  }) {
    this.#window = options.window;
    this.ledger = new Ledger(options.window > IN_FLIGHT_MAX ? OVERLOAD_ENTRIES : LEDGER_ENTRIES);
    this.#sampleMask = options.window < BUSY_WINDOW ? 0 : SAMPLE_MASK;
    this.#clock = options.clock;
    this.#latency = options.latency;
    this.#onFail = options.onFail;
  }

  /** Resolves when the dialect's handshake is done. */
  async open(port: number, dialect: Dialect): Promise<void> {
    this.#dialect = dialect;
    const frames = 2 * Math.ceil(this.#window / dialect.operationsPerFrame) + 2;
    this.#outbox = Buffer.allocUnsafeSlow(frames * dialect.frameBytesMax);
    await new Promise<void>((resolve) => {
      this.#onReady = resolve;
      this.#socket = connect({
        port,
        host: '127.0.0.1',
        noDelay: true,
        onread: { buffer: () => this.#inbox.room(), callback: (count) => this.#onRead(count) },
      });
      this.#socket.on('connect', () => this.#greet(dialect.greeting()));
      this.#socket.on('error', (error) => this.fail(error.message));
      this.#socket.on('end', () => this.fail('the server closed a connection'));
    });
  }

  start(pace: Pace): void {
    this.#pace = pace;
    this.#sent = 0;
    this.pump(performance.now());
  }

  stop(): void {
    this.#pace = undefined;
  }

  /** Sends what the pace and the window allow. */
  pump(now: number): void {
    const pace = this.#pace;
    if (pace === undefined) return;
    let allowed = Math.min(pace.window - this.ledger.open, pace.operations - this.#sent);
    if (pace.intervalMs > 0) {
      const due = Math.floor((now - pace.firstAt) / pace.intervalMs) + 1;
      allowed = Math.min(allowed, due - this.#sent);
    }
    const perFrame = this.#dialect.operationsPerFrame;
    if (allowed >= perFrame) this.#send(Math.floor(allowed / perFrame), now, pace);
  }

  close(): void {
    this.#socket.removeAllListeners('end');
    this.#socket.destroy();
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  ready(): void {
    this.#onReady();
  }

  fail(message: string): void {
    this.#onFail(message);
  }

  answer(request: number, outcome: number, refusal: number): void {
    const time = this.ledger.answer(request, outcome, refusal);
    if (!this.#latency.isRecording || time < 0) return;
    if ((request & this.#sampleMask) === 0 || this.#pace?.intervalMs !== 0)
      this.#latency.record(performance.now() - time);
  }

  /** Within a partition, sequences rise. */
  event(partition: number, sequence: number): void {
    this.events++;
    if (sequence <= this.#sequences[partition]) this.disordered++;
    this.#sequences[partition] = sequence;
  }

  unorderedEvent(): void {
    this.events++;
  }

  #greet(greeting: Uint8Array): void {
    if (greeting.length > 0) this.#socket.write(greeting);
    else this.#onReady();
  }

  #onRead(count: number): boolean {
    const inbox = this.#inbox;
    inbox.to += count;
    inbox.from = this.#dialect.scan(inbox.bytes, inbox.from, inbox.to);
    if (this.#pace !== undefined) this.pump(performance.now());
    return true;
  }

  /**
   * The outbox has room for twice what may be open. Bytes are overwritten only after as many later
   * requests were answered as fit it once, and the socket sends in order: so they have been sent.
   */
  #send(frames: number, now: number, pace: Pace): void {
    const dialect = this.#dialect;
    this.#advanceClock();
    let from = this.#outboxAt;
    for (let frame = 0; frame < frames; frame++) {
      if (this.#outboxAt + dialect.frameBytesMax > this.#outbox.length) {
        this.#flush(from);
        this.#outboxAt = 0;
        from = 0;
      }
      const request = this.#request;
      this.#outboxAt += dialect.encode(this.#outbox, this.#outboxAt, request, this.#clock);
      for (let i = 0; i < dialect.operationsPerFrame; i++, this.#sent++) {
        const time = pace.intervalMs > 0 ? pace.firstAt + this.#sent * pace.intervalMs : now;
        this.ledger.send((request + i) & (REQUEST_RANGE - 1), time);
      }
      this.#request = (request + dialect.operationsPerFrame) & (REQUEST_RANGE - 1);
    }
    this.#flush(from);
  }

  #flush(from: number): void {
    if (this.#outboxAt > from) this.#socket.write(this.#outbox.subarray(from, this.#outboxAt));
  }

  #advanceClock(): void {
    const now = Date.now();
    if (now <= this.#clock.ms) return;
    this.#clock.ms = now;
    this.#clock.counter = 0;
  }
}
