import type { Environment, SocketConstructor } from '#lib/environment.js';
import { FakeSocket } from './fake-socket.js';

interface Timer {
  readonly atMs: number;
  readonly action: () => void;
}

/** Time that passes only when told to, sockets that do only what they are told. */
export class FakeEnvironment implements Environment {
  readonly sockets: FakeSocket[] = [];
  readonly reported: unknown[] = [];
  readonly WebSocket: SocketConstructor;
  nowMs = 1_000;
  node = 0xabcdef;
  readonly #timers = new Set<Timer>();

  constructor() {
    const { sockets } = this;
    this.WebSocket = class extends FakeSocket {
      constructor(url: string) {
        super(url);
        sockets.push(this);
      }
    };
  }

  get socket(): FakeSocket {
    return this.sockets[this.sockets.length - 1];
  }

  get timerCount(): number {
    return this.#timers.size;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  startTimer(action: () => void, delayMs: number): () => void {
    const timer = { atMs: this.nowMs + delayMs, action };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  random(): number {
    return 0.5;
  }

  randomNode(): number {
    return this.node;
  }

  randomToken(): Uint8Array {
    return new Uint8Array(16).fill(7);
  }

  reportError(error: unknown): void {
    this.reported.push(error);
  }

  /** Lets time pass, timer by timer. */
  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (let next = this.#dueBy(untilMs); next; next = this.#dueBy(untilMs)) {
      this.#timers.delete(next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.action();
    }
    this.nowMs = untilMs;
  }

  #dueBy(untilMs: number): Timer | undefined {
    const due = [...this.#timers].filter(({ atMs }) => atMs <= untilMs);
    return due.sort((a, b) => a.atMs - b.atMs)[0];
  }
}

/** Lets everything that has been resolved run on. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
