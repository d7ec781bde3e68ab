import { create, toBinary } from '@bufbuild/protobuf';
import { PROTOCOL_VERSION } from '@tidewire/core';
import { ClientFrameSchema } from '@tidewire/schemas';
import type { Dialect, DialectOptions, Link, LoadClock } from './dialect.js';
import { OperationEncoder } from './operation-encoder.js';
import { OperationMix } from './operation-mix.js';
import { keyText, MAP, REQUEST_ID_BASE } from './operation-template.js';
import type { LoadPlan } from './plan.js';
import { subscribeMessages } from './predicate-load.js';
import { maskedMessage, upgradeRequest, WebSocketReader } from './websocket.js';

// Tags of ServerFrame's bodies (field number << 3 | 2).
const CLOCK = 0x09;
const WELCOME = 0x12;
const RESULTS = 0x1a;
const EVENTS = 0x22;
const SUBSCRIBED = 0x2a;
const ERROR = 0x42;
const EVENT_GROUPS = 0x72;

/**
 * `tidewire.v1` at the least cost: results and events are counted by walking over their lengths,
 * and only the first, short fields of each are read (the server writes fields in a fixed order).
 */
export class TidewireDialect extends WebSocketReader implements Dialect {
  readonly frameBytesMax: number;
  readonly operationsPerFrame: number;
  readonly #link: Link;
  readonly #encoder: OperationEncoder;
  readonly #mix: OperationMix;
  readonly #plan: LoadPlan;
  readonly #options: DialectOptions;
  /** Subscriptions that are not live yet. */
  #awaited = 1;
  /** Behind the varint last read. */
  #next = 0;

  constructor(plan: LoadPlan, options: DialectOptions) {
    super();
    this.#mix = new OperationMix(plan, options);
    this.#encoder = new OperationEncoder(plan, this.#mix);
    this.#plan = plan;
    this.#link = options.link;
    this.#options = options;
    this.frameBytesMax = this.#encoder.frameBytesMax;
    this.operationsPerFrame = plan.operationsPerFrame;
  }

  greeting(): Uint8Array {
    return upgradeRequest(this.#plan.port);
  }

  encode(target: Uint8Array, at: number, request: number, clock: LoadClock): number {
    return this.#encoder.encode(target, at, request, clock);
  }

  protected override onUpgrade(): void {
    const { token } = this.#plan;
    const value = {
      protocolVersion: PROTOCOL_VERSION,
      node: this.#options.connection + 1,
      token,
    };
    const hello = create(ClientFrameSchema, { body: { case: 'hello', value } });
    this.#link.write(maskedMessage(toBinary(ClientFrameSchema, hello)));
  }

  protected override onPing(pong: Uint8Array): void {
    this.#link.write(pong);
  }

  protected override onFault(message: string): void {
    this.#link.fail(message);
  }

  protected override onMessage(bytes: Buffer, from: number, to: number): void {
    const at = bytes[from] === CLOCK ? from + 9 : from;
    const tag = bytes[at];
    const end = this.#varint(bytes, at + 1) + this.#next;
    if (end !== to) this.#link.fail('a server frame holds something behind its body');
    if (tag === RESULTS) this.#onResults(bytes, this.#next, to);
    else if (tag === EVENTS) this.#onEvents(bytes, this.#next, to);
    else if (tag === EVENT_GROUPS) this.#onEventGroups(bytes, this.#next, to);
    else if (tag === WELCOME) this.#onWelcome();
    else if (tag === SUBSCRIBED) this.#onSubscribed();
    else if (tag === ERROR)
      this.#link.fail(`the server reports ${bytes.toString('latin1', at, to)}`);
  }

  #onWelcome(): void {
    if (!this.#options.isSubscriber) {
      this.#link.ready();
      return;
    }
    const { subscription, keys, connections } = this.#plan;
    if (subscription === 'predicates') {
      const subscriber = this.#options.connection - connections;
      const messages = subscribeMessages(this.#plan, subscriber);
      this.#awaited = messages.length;
      for (const message of messages) this.#link.write(message);
      return;
    }
    const key = subscription === 'key' ? keyText(keys + this.#options.connection) : '';
    const value = { subscriptionId: 1, map: MAP, key };
    const subscribe = create(ClientFrameSchema, { body: { case: 'subscribe', value } });
    this.#link.write(maskedMessage(toBinary(ClientFrameSchema, subscribe)));
  }

  #onSubscribed(): void {
    if (--this.#awaited === 0) this.#link.ready();
  }

  /** Results: entries of tag 0x0a; in each outcome 0x08, refusal 0x10, level 0x18, id 0x25. */
  #onResults(bytes: Buffer, from: number, to: number): void {
    let at = from;
    while (at < to) {
      if (bytes[at] !== 0x0a) this.#link.fail('a result was expected');
      const length = this.#varint(bytes, at + 1);
      at = this.#next;
      const end = at + length;
      let outcome = 0;
      let refusal = 0;
      if (bytes[at] === 0x08) {
        outcome = bytes[at + 1];
        at += 2;
      }
      if (bytes[at] === 0x10) {
        refusal = bytes[at + 1];
        at += 2;
      }
      if (bytes[at] === 0x18) at += 2;
      if (bytes[at] !== 0x25 || end > to) this.#link.fail('a result without a request id');
      const id =
        bytes[at + 1] | (bytes[at + 2] << 8) | (bytes[at + 3] << 16) | (bytes[at + 4] << 24);
      this.#mix.onAnswer(id - REQUEST_ID_BASE, outcome);
      this.#link.answer(id - REQUEST_ID_BASE, outcome, refusal);
      at = end;
    }
  }

  /** EventGroups: entries of tag 0x0a, each Events. */
  #onEventGroups(bytes: Buffer, from: number, to: number): void {
    let at = from;
    while (at < to) {
      if (bytes[at] !== 0x0a) this.#link.fail('a group of events was expected');
      const length = this.#varint(bytes, at + 1);
      const end = this.#next + length;
      if (end > to) this.#link.fail('a group of events that goes beyond its frame');
      this.#onEvents(bytes, this.#next, end);
      at = end;
    }
  }

  /** Events: topic 0x08, entries of tag 0x12; in each kind 0x08, partition 0x10, sequence 0x18. */
  #onEvents(bytes: Buffer, from: number, to: number): void {
    let at = from;
    if (bytes[at] === 0x08) {
      this.#varint(bytes, at + 1);
      at = this.#next;
    }
    while (at < to) {
      if (bytes[at] !== 0x12) this.#link.fail('an event was expected');
      const length = this.#varint(bytes, at + 1);
      at = this.#next;
      const end = at + length;
      if (bytes[at] === 0x08) at += 2;
      let partition = 0;
      if (bytes[at] === 0x10) {
        partition = this.#varint(bytes, at + 1);
        at = this.#next;
      }
      if (bytes[at] !== 0x18 || end > to) this.#link.fail('an event without a sequence');
      const sequence = this.#varint(bytes, at + 1);
      // Topics of one connection are published one after another: only each of them is in order.
      if (this.#plan.subscription === 'predicates') this.#link.unorderedEvent();
      else this.#link.event(partition, sequence);
      at = end;
    }
  }

  #varint(bytes: Buffer, from: number): number {
    let at = from;
    let byte = bytes[at++];
    let value = byte & 0x7f;
    for (let scale = 0x80; byte > 0x7f; scale *= 0x80) {
      byte = bytes[at++];
      value += (byte & 0x7f) * scale;
    }
    this.#next = at;
    return value;
  }
}
