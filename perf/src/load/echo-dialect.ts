import {
  type Dialect,
  type DialectOptions,
  type Link,
  type LoadClock,
  OUTCOME_DONE,
} from './dialect.js';
import { OperationEncoder } from './operation-encoder.js';
import { OperationMix } from './operation-mix.js';
import { REQUEST_ID_BASE } from './operation-template.js';
import type { LoadPlan } from './plan.js';
import { upgradeRequest, WebSocketReader } from './websocket.js';

/** The frames of Tidewire's load, each sent back by the server: the ceiling of any gateway. */
export class EchoDialect extends WebSocketReader implements Dialect {
  readonly frameBytesMax: number;
  readonly operationsPerFrame: number;
  readonly #link: Link;
  readonly #encoder: OperationEncoder;
  readonly #port: number;
  /** Body bytes before the first operation's request id. */
  readonly #requestIdAt: number;

  constructor(plan: LoadPlan, options: DialectOptions) {
    super();
    this.#encoder = new OperationEncoder(plan, new OperationMix(plan, options));
    this.#link = options.link;
    this.#port = plan.port;
    this.#requestIdAt = this.#encoder.requestIdBodyAt;
    this.frameBytesMax = this.#encoder.frameBytesMax;
    this.operationsPerFrame = plan.operationsPerFrame;
  }

  greeting(): Uint8Array {
    return upgradeRequest(this.#port);
  }

  encode(target: Uint8Array, at: number, request: number, clock: LoadClock): number {
    return this.#encoder.encode(target, at, request, clock);
  }

  protected override onUpgrade(): void {
    this.#link.ready();
  }

  protected override onPing(pong: Uint8Array): void {
    this.#link.write(pong);
  }

  protected override onFault(message: string): void {
    this.#link.fail(message);
  }

  protected override onMessage(bytes: Buffer, from: number): void {
    const at = from + this.#requestIdAt;
    const id =
      (bytes[at] & 0x7f) |
      ((bytes[at + 1] & 0x7f) << 7) |
      ((bytes[at + 2] & 0x7f) << 14) |
      (bytes[at + 3] << 21);
    for (let i = 0; i < this.operationsPerFrame; i++)
      this.#link.answer(id - REQUEST_ID_BASE + i, OUTCOME_DONE, 0);
  }
}
