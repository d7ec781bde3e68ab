import { RingConsumer } from '#lib/ring/ring-consumer.js';
import { DATA, HEAD, recordWords, ringBufferBytes, TAIL } from '#lib/ring/ring-layout.js';
import { NO_ROOM, RingProducer } from '#lib/ring/ring-producer.js';

/** Words of the data; a record has at most an eighth of them, that is a body of 2. */
export const CAPACITY = 32;
export const RESERVE = 8;

export const ACTIONS = [
  'claimEmpty',
  'claim',
  'claimControl',
  'commit',
  'abort',
  'next',
  'release',
  'attachProducer',
  'attachConsumer',
] as const;
export type Action = (typeof ACTIONS)[number];

interface Expected {
  kind: number;
  bodyWords: number;
  /** Position behind it, without wrap-around. */
  end: number;
}

/** A ring driven step by step beside a queue; `step` says how the two disagree, if they do. */
export class RingModel {
  readonly #words: Int32Array = new Int32Array(
    new SharedArrayBuffer(ringBufferBytes(CAPACITY * 4)),
  );
  #producer: RingProducer;
  #consumer: RingConsumer;
  // The model. Positions here do not wrap.
  #head = 0;
  #committedTail = 0;
  #tail = 0;
  #claimed: Expected[] = [];
  #queue: Expected[] = [];
  #read = 0;
  #nextKind = 1;

  constructor() {
    this.#producer = this.#newProducer();
    this.#consumer = new RingConsumer(this.#words.buffer as SharedArrayBuffer);
  }

  /** Starts anew at a position, with that many words in the queue already. */
  reset(start: number, filledWords: number): void {
    this.#words.fill(0x5a5a5a5a);
    this.#words[TAIL] = start;
    this.#words[HEAD] = start;
    this.#head = start;
    this.#tail = start;
    this.#committedTail = start;
    this.#claimed = [];
    this.#queue = [];
    this.#read = 0;
    this.#nextKind = 1;
    this.#producer = this.#newProducer();
    this.#consumer = new RingConsumer(this.#words.buffer as SharedArrayBuffer);
    for (let words = 0; words < filledWords; words += 4) this.step('claim');
    this.step('commit');
  }

  step(action: Action): string | undefined {
    return this.#perform(action) ?? this.#compareViews();
  }

  #perform(action: Action): string | undefined {
    switch (action) {
      case 'claimEmpty':
        return this.#claim(0, RESERVE);
      case 'claim':
        return this.#claim(2, RESERVE);
      case 'claimControl':
        return this.#claim(2, 0);
      case 'commit':
        this.#producer.commit();
        this.#queue.push(...this.#claimed);
        this.#claimed = [];
        this.#committedTail = this.#tail;
        return undefined;
      case 'abort':
        this.#producer.abort();
        this.#forgetClaims();
        return undefined;
      case 'next':
        return this.#next();
      case 'release':
        this.#consumer.release();
        if (this.#read > 0) this.#head = this.#queue[this.#read - 1].end;
        this.#queue.splice(0, this.#read);
        this.#read = 0;
        return undefined;
      case 'attachProducer':
        this.#producer = this.#newProducer();
        this.#forgetClaims();
        return undefined;
      case 'attachConsumer':
        this.#consumer = new RingConsumer(this.#words.buffer as SharedArrayBuffer);
        this.#read = 0;
        return undefined;
    }
  }

  #newProducer(): RingProducer {
    return new RingProducer(this.#words.buffer as SharedArrayBuffer, RESERVE);
  }

  #forgetClaims(): void {
    this.#claimed = [];
    this.#tail = this.#committedTail;
  }

  #claim(bodyWords: number, reserve: number): string | undefined {
    const total = recordWords(bodyWords);
    const toEnd = CAPACITY - (this.#tail % CAPACITY);
    const padding = total > toEnd ? toEnd : 0;
    const hasRoom = padding + total + reserve <= CAPACITY - (this.#tail - this.#head);
    const kind = this.#nextKind++;
    const index =
      reserve === 0
        ? this.#producer.claimControl(kind, bodyWords)
        : this.#producer.claim(kind, bodyWords);
    if ((index !== NO_ROOM) !== hasRoom) return `claim: ${index}, room: ${hasRoom}`;
    if (!hasRoom) return undefined;
    if (index < DATA || index + bodyWords > this.#words.length) return 'claim outside the data';
    this.#tail += padding + total;
    this.#claimed.push({ kind, bodyWords, end: this.#tail });
    for (let i = 0; i < bodyWords; i++) this.#producer.words[index + i] = kind * 100 + i;
    return undefined;
  }

  #next(): string | undefined {
    const expected = this.#queue[this.#read];
    const found = this.#consumer.next();
    if (found !== (expected !== undefined)) return `next: ${found}`;
    if (expected === undefined) return undefined;
    this.#read++;
    const { kind, index, position, words } = this.#consumer;
    if (kind !== expected.kind) return `kind ${kind}, not ${expected.kind}`;
    if (position !== (expected.end | 0)) return `position ${position}, not ${expected.end | 0}`;
    for (let i = 0; i < expected.bodyWords; i++)
      if (words[index + i] !== kind * 100 + i) return `body word ${i} of ${kind}`;
    return undefined;
  }

  #compareViews(): string | undefined {
    const isEmpty = this.#read === this.#queue.length;
    if (this.#consumer.isEmpty() !== isEmpty) return 'isEmpty';
    if (this.#producer.isDrained() !== (this.#head === this.#committedTail)) return 'isDrained';
    const free = CAPACITY - (this.#tail - this.#head) - RESERVE;
    if (free >= 0 && !this.#producer.hasRoom(free)) return 'hasRoom of what is free';
    return this.#producer.hasRoom(free + 1) ? 'hasRoom of more than is free' : undefined;
  }
}
