import type { Predicate } from '@tidewire/core';
import { type CatchUp, type Event, type Slice, SliceKind } from '@tidewire/schemas';
import type { CursorFate } from './cursor.js';
import { type Change, HeldRecords } from './held-records.js';
import type { SubscribeFields } from './protocol.js';
import type { From } from './subscription.js';

export interface InterestFields {
  readonly map: string;
  /** Empty: the whole map. */
  readonly key: string;
  readonly where: Predicate | undefined;
  readonly withOld: boolean;
  readonly maxHz: number;
  readonly from: From;
}

/** None of them throws. */
export interface InterestHandlers {
  onChange(change: Change): void;
  onReady(): void;
  onGap(reason: string): void;
}

/**
 * One subscription from its call to its end, over all connections. `asked`: the server has not
 * confirmed it yet; `filling`: what stands is still on its way; `whole`: the handler knows everything
 * up to some cursor, so that a later connection can resume; `resuming`: that has been asked for, and
 * what was missed is still on its way.
 */
export class Interest {
  readonly subscriptionId: number;
  readonly fields: InterestFields;
  readonly #handlers: InterestHandlers;
  #held: HeldRecords;
  #state: 'asked' | 'filling' | 'whole' | 'resuming' | 'closed' = 'asked';
  /** How it was asked for on this connection; `resume`, too, once nothing of that is missing. */
  #start: SubscribeFields['start'] = 'now';
  /** Since the last catch-up: told once. */
  #isGapTold = false;

  constructor(subscriptionId: number, fields: InterestFields, handlers: InterestHandlers) {
    this.subscriptionId = subscriptionId;
    this.fields = fields;
    this.#handlers = handlers;
    this.#held = newlyHeld(fields);
  }

  /** What to ask of a server that makes `fate` of the cursor. */
  ask(fate: CursorFate): SubscribeFields {
    this.#isGapTold = false;
    if (this.#state === 'whole' || this.#state === 'resuming') this.#renew(fate);
    else this.#start = this.#state === 'filling' ? 'snapshot' : this.fields.from;
    const resumesKey = this.#start === 'resume' && this.fields.key !== '';
    return {
      ...this.fields,
      subscriptionId: this.subscriptionId,
      start: this.#start,
      knownSequence: resumesKey ? this.#held.sequenceOf(this.fields.key) : 0,
    };
  }

  /** It still needs the cursor that the present connection began with. */
  get isResuming(): boolean {
    return this.#state === 'resuming';
  }

  /** The server delivers from here on. */
  onSubscribed(): void {
    if (this.#start !== 'now') {
      if (this.#state === 'asked') this.#state = 'filling';
      return;
    }
    this.#becomeWhole();
  }

  onEvent(event: Event): void {
    const change = this.#held.takeEvent(event);
    if (change) this.#tell([change]);
  }

  onCatchUp({ slices, isDone }: CatchUp, salt: Uint8Array): void {
    for (const slice of slices) {
      this.#noticeGap(slice);
      this.#tell(this.#held.takeSlice(slice, salt));
    }
    if (isDone && this.#state !== 'closed') this.#becomeWhole();
  }

  /** Everything of this partition up to `sequence` has been delivered. */
  onProgress(partition: number, sequence: number): void {
    this.#held.prune(partition, sequence);
  }

  /** Nothing is told any more. */
  close(): void {
    this.#state = 'closed';
  }

  #becomeWhole(): void {
    this.#state = 'whole';
    this.#start = 'resume'; // a later catch-up of this connection goes on from its Progress
    this.#isGapTold = false;
    this.#handlers.onReady();
  }

  #renew(fate: CursorFate): void {
    if (fate === 'holds') {
      this.#start = 'resume';
      this.#state = 'resuming';
      return;
    }
    if (fate === 'void') this.#tellGap('The server has another database than before.');
    this.#start = fate === 'none' ? this.fields.from : 'snapshot';
    if (this.#start === 'snapshot') this.#state = 'filling';
    else this.#beginAnew();
  }

  /** Without a cursor nothing tells old records from changes: they are heard from now on, again. */
  #beginAnew(): void {
    this.#tellGap('The connection was lost before the server had told how far it was.');
    this.#state = 'asked';
    this.#held = newlyHeld(this.fields);
  }

  #noticeGap(slice: Slice): void {
    if (slice.kind !== SliceKind.SNAPSHOT || this.#start !== 'resume') return;
    if (this.fields.key === '')
      this.#tellGap('The server no longer knows every change since then.');
    else if (this.#isSetBack(slice)) this.#tellGap('A change was lost when the server ended.');
  }

  /** A key is always answered by its state; an older one than held means that one was lost. */
  #isSetBack({ events }: Slice): boolean {
    return events.some(({ key, sequence }) => Number(sequence) < this.#held.sequenceOf(key));
  }

  #tellGap(reason: string): void {
    if (this.#isGapTold) return;
    this.#isGapTold = true;
    this.#handlers.onGap(reason);
  }

  /** A handler may close its own subscription meanwhile. */
  #tell(changes: readonly Change[]): void {
    for (const change of changes) if (this.#state !== 'closed') this.#handlers.onChange(change);
  }
}

function newlyHeld({ from }: InterestFields): HeldRecords {
  return new HeldRecords({ startsEmpty: from === 'snapshot' });
}
