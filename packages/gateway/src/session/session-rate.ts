import { Code, RATE_DEBT_SECONDS_MAX } from '@tidewire/core';
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
 * the end.
 */
export class SessionRate {
  readonly #operations: Rate | undefined;
  readonly #bytes: Rate | undefined;

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

  /** It was told to wait and sent on and on. */
  isFlooding(nowMs: number): boolean {
    return (this.#bytes?.waitMs(nowMs) ?? 0) > RATE_DEBT_SECONDS_MAX * 1000;
  }
}
