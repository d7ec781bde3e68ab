import { Code, RATE_DEBT_OPERATIONS_MIN, RATE_DEBT_SECONDS_MAX } from '@tidewire/core';
import { type GatewayLimits, NO_BOUND } from '../gateway-limits.js';
import { OperationRefusal } from '../operation/operation-refusal.js';
import { TokenBucket } from './token-bucket.js';

type Rates = Pick<GatewayLimits, 'operationsPerSecond' | 'bytesPerSecond'>;

/** One of the rates of a connection, and what is said to whoever exceeds it. */
class Rate {
  readonly #bucket: TokenBucket;
  readonly #refusal: OperationRefusal;

  constructor(perSecond: number, what: string, nowMs: number) {
    this.#bucket = new TokenBucket(perSecond, nowMs);
    this.#refusal = new OperationRefusal(
      Code.OVERLOADED,
      `At most ${perSecond} ${what} a second on a connection; nothing was done.`,
    );
  }

  /** Takes `count`, or says why not. */
  take(count: number, nowMs: number): OperationRefusal | undefined {
    return this.#bucket.take(count, nowMs) ? undefined : this.refusal(nowMs);
  }

  charge(count: number, nowMs: number): void {
    this.#bucket.charge(count, nowMs);
  }

  /** How long it takes until all that came is within the rate. */
  waitMs(nowMs: number): number {
    return this.#bucket.waitMs(nowMs);
  }

  /** Valid until the next one is asked for. */
  refusal(nowMs: number): OperationRefusal {
    this.#refusal.retryAfterMs = this.#bucket.waitMs(nowMs);
    return this.#refusal;
  }
}

/**
 * How much one connection may ask for in a second. Its bytes count even if what they ask is refused:
 * they have been read. So whoever sends on regardless gets ever further behind, and is closed in
 * the end. So is whoever is refused operations on and on.
 */
export class SessionRate {
  readonly #operations: Rate | undefined;
  readonly #bytes: Rate | undefined;
  /** Operations that may still be refused before it is enough. */
  readonly #patience: TokenBucket | undefined;

  /** Undefined where nothing is bounded. */
  static of(limits: Rates, nowMs: number): SessionRate | undefined {
    const { operationsPerSecond, bytesPerSecond } = limits;
    if (operationsPerSecond === NO_BOUND && bytesPerSecond === NO_BOUND) return undefined;
    return new SessionRate(limits, nowMs);
  }

  private constructor({ operationsPerSecond, bytesPerSecond }: Rates, nowMs: number) {
    const rate = (perSecond: number, what: string): Rate | undefined =>
      perSecond === NO_BOUND ? undefined : new Rate(perSecond, what, nowMs);
    this.#operations = rate(operationsPerSecond, 'operations');
    this.#bytes = rate(bytesPerSecond, 'bytes');
    if (operationsPerSecond !== NO_BOUND)
      this.#patience = new TokenBucket(operationsPerSecond, nowMs, patienceOf(operationsPerSecond));
  }

  /** Counts a frame that has come. Says why nothing of it is done, if so. */
  takeFrame(bytes: number, nowMs: number): OperationRefusal | undefined {
    const isWithin = this.#bytes === undefined || this.#bytes.waitMs(nowMs) === 0;
    this.#bytes?.charge(bytes, nowMs);
    return isWithin ? undefined : this.#bytes?.refusal(nowMs);
  }

  /** Counts one operation, or says why it is not done. */
  takeOperation(nowMs: number): OperationRefusal | undefined {
    return this.#operations?.take(1, nowMs);
  }

  /** So many operations were refused. */
  onRefused(operations: number, nowMs: number): void {
    this.#patience?.charge(operations, nowMs);
  }

  /** It was told to wait and sent on and on. Returns how long it had better stay away; 0: it did not. */
  floodMs(nowMs: number): number {
    const bytesMs = this.#bytes?.waitMs(nowMs) ?? 0;
    const operationsMs = this.#patience?.waitMs(nowMs) ?? 0;
    return bytesMs > RATE_DEBT_SECONDS_MAX * 1000 || operationsMs > 0
      ? Math.max(bytesMs, operationsMs)
      : 0;
  }
}

function patienceOf(operationsPerSecond: number): number {
  return Math.max(operationsPerSecond * RATE_DEBT_SECONDS_MAX, RATE_DEBT_OPERATIONS_MIN);
}
