import type { HybridLogicalClock } from '@tidewire/core';
import { FramePool } from '../frame-buffer.js';
import type { Session } from '../session/session.js';
import { EventGroups } from './event-groups.js';

/**
 * Events of feeds that one session alone hears, put together to one frame a session: most predicates
 * are of that kind, and a frame and a publish for each event of theirs would cost more than the rest
 * of the change. Sending may suspend or close any session.
 */
export class SingleEvents {
  readonly #clock: HybridLogicalClock;
  readonly #beforeSend: () => void;
  readonly #send: (session: Session, bytes: Uint8Array) => void;
  readonly #onSent: (bytes: number) => void;
  readonly #pool: FramePool<EventGroups> = new FramePool(() => new EventGroups());
  #touched: Session[] = [];

  constructor(options: {
    clock: HybridLogicalClock;
    beforeSend: () => void;
    send: (session: Session, bytes: Uint8Array) => void;
    onSent: (bytes: number) => void;
  }) {
    this.#clock = options.clock;
    this.#beforeSend = options.beforeSend;
    this.#send = options.send;
    this.#onSent = options.onSent;
  }

  /** Makes room for an entry of so many bytes, by which the session may come to hear nothing more. */
  reserve(session: Session, length: number): void {
    if (session.events?.hasRoom(length) === false) this.sendTo(session);
    if (session.events === undefined && this.#pool.isExhausted) this.flush();
  }

  /** Takes an entry of Events. REQUIRES: room reserved, and nothing sent since. */
  append(session: Session, topic: number, bytes: Uint8Array, offset: number, length: number): void {
    if (session.events === undefined) {
      session.events = this.#pool.take();
      this.#touched.push(session);
    }
    session.events.appendOn(topic, bytes, offset, length);
  }

  flush(): void {
    const touched = this.#touched;
    this.#touched = [];
    for (const session of touched) this.sendTo(session);
  }

  /** Sends what was taken for one session. */
  sendTo(session: Session): void {
    if (session.events === undefined) return;
    this.#beforeSend();
    const { events } = session;
    if (events === undefined) return; // that has closed it
    session.events = undefined;
    const { ms, counter } = this.#clock;
    const frame = events.frame(ms, counter);
    this.#send(session, frame);
    this.#onSent(frame.length);
    this.#pool.give(events);
  }

  /** Forgets what was taken for a session that hears nothing more. */
  discard(session: Session): void {
    const { events } = session;
    if (events === undefined) return;
    session.events = undefined;
    this.#pool.give(events);
  }
}
