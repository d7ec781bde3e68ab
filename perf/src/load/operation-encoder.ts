import type { LoadClock } from './dialect.js';
import { REQUEST_RANGE } from './dialect.js';
import type { OperationMix } from './operation-mix.js';
import {
  type OperationTemplate,
  operationTemplate,
  REQUEST_ID_BASE,
  writeDecimal,
  writeHex,
  writeKey,
  writeRequestId,
  writeStamp,
} from './operation-template.js';
import type { LoadPlan } from './plan.js';
import { familiesOf, NUMBER_BASE } from './predicate-load.js';

const COUNTER_MAX = 0xffff;

/** Makes frames of operations by copying a template and overwriting what changes. */
export class OperationEncoder {
  readonly frameBytesMax: number;
  /** Where, in the body of a message of puts, the first request id begins. */
  readonly requestIdBodyAt: number;
  readonly #put: OperationTemplate;
  readonly #get: OperationTemplate;
  readonly #perFrame: number;
  readonly #mix: OperationMix;
  readonly #moduli: readonly [number, number];

  constructor(plan: LoadPlan, mix: OperationMix) {
    this.#put = operationTemplate({ ...plan, isGet: false });
    this.#get = operationTemplate({ ...plan, isGet: true });
    this.frameBytesMax = Math.max(this.#put.bytes.length, this.#get.bytes.length);
    this.requestIdBodyAt = this.#put.operationsAt + this.#put.requestIdAt - (this.#put.clockAt - 1);
    this.#perFrame = plan.operationsPerFrame;
    this.#mix = mix;
    this.#moduli = familiesOf(plan.predicates).moduli;
  }

  encode(target: Uint8Array, at: number, request: number, clock: LoadClock): number {
    const template = this.#mix.next() ? this.#get : this.#put;
    target.set(template.bytes, at);
    tick(clock);
    writeStamp(target, at + template.clockAt, clock.ms, clock.counter);
    let operation = at + template.operationsAt;
    for (let i = 0; i < this.#perFrame; i++, operation += template.operationBytes)
      this.#fill(target, operation, (request + i) & (REQUEST_RANGE - 1), template, clock);
    return template.bytes.length;
  }

  #fill(
    target: Uint8Array,
    at: number,
    request: number,
    template: OperationTemplate,
    clock: LoadClock,
  ): void {
    writeRequestId(target, at + template.requestIdAt, REQUEST_ID_BASE + request);
    const key = this.#mix.keyOf(request);
    writeKey(target, at + template.keyAt, key);
    if (template.numbersAt !== undefined) this.#writeNumbers(target, at, key, template.numbersAt);
    if (template.writeAt >= 0) writeHex(target, at + template.writeAt, request);
    if (template.stampAt < 0) return;
    tick(clock);
    writeStamp(target, at + template.stampAt, clock.ms, clock.counter);
  }

  /** A key's numbers are always the same, so that every write of it is an update of MATCHES. */
  #writeNumbers(
    target: Uint8Array,
    at: number,
    key: number,
    [n, a, b]: readonly [number, number, number],
  ): void {
    writeDecimal(target, at + n, NUMBER_BASE + key);
    writeDecimal(target, at + a, NUMBER_BASE + (key % this.#moduli[0]));
    writeDecimal(target, at + b, NUMBER_BASE + (key % this.#moduli[1]));
  }
}

function tick(clock: LoadClock): void {
  if (clock.counter < COUNTER_MAX) clock.counter++;
  else {
    clock.counter = 0;
    clock.ms++;
  }
}
