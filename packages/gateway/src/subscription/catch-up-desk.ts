import type { HybridLogicalClock } from '@tidewire/core';
import { RecordLayout, SliceMessage, STREAM_LAST } from '@tidewire/core/threads';
import type { Session } from '../session/session.js';
import type { StreamDesk, WorkerStream } from '../stream/stream-desk.js';
import { StreamFrame } from '../stream/stream-frame.js';
import type { TurnTime } from '../turn-time.js';
import { CatchUp, type CatchUpDelivery } from './catch-up.js';
import type { CatchUpPlan } from './catch-up-plan.js';
import type { EventBus } from './event-bus.js';
import type { Subscription } from './subscription.js';

/** Has workers send to single subscriptions what they missed, and passes it on undecoded. */
export class CatchUpDesk {
  readonly #streams: StreamDesk;
  readonly #bus: EventBus;
  readonly #time: TurnTime;
  readonly #workers: number;
  readonly #send: (session: Session, bytes: Uint8Array) => void;
  readonly #frame: StreamFrame;
  /** Catch-ups begun so far. */
  begun = 0;
  /** Nothing is missing any more. */
  onDone: (subscription: Subscription) => void = () => {};

  constructor(options: {
    streams: StreamDesk;
    bus: EventBus;
    clock: HybridLogicalClock;
    time: TurnTime;
    workers: number;
    send: (session: Session, bytes: Uint8Array) => void;
  }) {
    this.#streams = options.streams;
    this.#bus = options.bus;
    this.#frame = new StreamFrame(options.clock);
    this.#time = options.time;
    this.#workers = options.workers;
    this.#send = options.send;
  }

  /** REQUIRES: the subscription has joined its topic. */
  begin(subscription: Subscription, plan: CatchUpPlan): void {
    this.begun++;
    const catchUp = new CatchUp(subscription, {
      plan,
      workers: this.#workers,
      nowMs: () => this.#time.nowMs,
      handler: this.#onSlice,
    });
    subscription.catchUp = catchUp;
    for (const delivery of catchUp.deliveries) this.#streams.begin(delivery);
  }

  cancel(subscription: Subscription): void {
    const { catchUp } = subscription;
    if (catchUp === undefined) return;
    subscription.catchUp = undefined;
    for (const delivery of catchUp.deliveries) this.#streams.cancel(delivery);
  }

  readonly #onSlice = (
    delivery: CatchUpDelivery,
    stream: WorkerStream,
    words: Int32Array,
    wordBytes: Uint8Array,
    at: number,
  ): void => {
    const { catchUp } = delivery;
    const { subscription } = catchUp;
    const flags = words[at + SliceMessage.FLAGS];
    const isLast = (flags & STREAM_LAST) !== 0;
    if (isLast) this.#end(delivery, stream);
    const isDone = catchUp.deliveries.size === 0;
    // What the topic has is older than the slice, which must not be followed by it.
    this.#bus.publishTopic(subscription.topic);
    if (subscription.catchUp !== catchUp) return; // publishing has suspended or closed its session
    this.#pass(subscription, isDone, words, wordBytes, at);
    noteEnded(catchUp.reached, words, at);
    if (subscription.catchUp !== catchUp) return;
    if (!isLast) this.#streams.took(delivery, stream, words[at + SliceMessage.BYTES]);
    if (!isDone) return;
    subscription.catchUp = undefined;
    this.onDone(subscription);
  };

  #end(delivery: CatchUpDelivery, stream: WorkerStream): void {
    this.#streams.end(delivery, stream);
    delivery.catchUp.deliveries.delete(delivery);
  }

  #pass(
    { id, session }: Subscription,
    isDone: boolean,
    words: Int32Array,
    wordBytes: Uint8Array,
    at: number,
  ): void {
    const length = words[at + SliceMessage.BYTES];
    if (length === 0 && !isDone) return;
    const source = (at + SliceMessage.ENDED + endedWords(words, at)) * 4;
    const head = { subscriptionId: id, isDone };
    this.#send(session, this.#frame.catchUp(head, wordBytes, source, length));
  }
}

function endedWords(words: Int32Array, at: number): number {
  return words[at + SliceMessage.ENDED_COUNT] * SliceMessage.ENDED_WORDS;
}

function noteEnded(reached: Map<number, number>, words: Int32Array, at: number): void {
  const start = at + SliceMessage.ENDED;
  const end = start + endedWords(words, at);
  for (let i = start; i < end; i += SliceMessage.ENDED_WORDS)
    reached.set(words[i], RecordLayout.joinWords(words[i + 1], words[i + 2]));
}
