import { assert, CONNECTIONS_MAX, HELLO_DEADLINE_MS } from '@tidewire/core';
import type { Session } from './session.js';
import type { Connection } from './transport.js';

const SLOT_BITS = 20;
const SLOT_MASK: number = (1 << SLOT_BITS) - 1;
const GENERATIONS = 2048; // slot and generation together stay below 2^31

assert(CONNECTIONS_MAX <= SLOT_MASK + 1, 'every connection has a slot');

/** Holds the sessions: one slot a connection, found by session id without a look-up by key. */
export class ConnectionManager {
  readonly #slots: (Session | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #generations: number[] = [];
  /** Sessions that have not said Hello, oldest first. */
  #strangers: Session[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count >= CONNECTIONS_MAX;
  }

  /** REQUIRES: not full. */
  open(connection: Connection, nowMs: number): Session {
    const slot = this.#free.pop() ?? this.#slots.length;
    const generation = ((this.#generations[slot] ?? 0) + 1) % GENERATIONS;
    this.#generations[slot] = generation;
    const session: Session = {
      id: (generation << SLOT_BITS) | slot,
      connection,
      helloDeadlineMs: nowMs + HELLO_DEADLINE_MS,
      node: 0,
      inFlight: 0,
      subscriptions: new Map(),
      isClosing: false,
      answers: undefined,
      isTouched: false,
    };
    this.#slots[slot] = session;
    this.#strangers.push(session);
    this.#count++;
    return session;
  }

  /** The session of this id, unless it has closed. */
  find(id: number): Session | undefined {
    const session = this.#slots[id & SLOT_MASK];
    return session !== undefined && session.id === id ? session : undefined;
  }

  close(session: Session): void {
    const slot = session.id & SLOT_MASK;
    if (this.#slots[slot] !== session) return;
    this.#slots[slot] = undefined;
    this.#free.push(slot);
    this.#count--;
  }

  /** Takes out and returns the sessions whose deadline for Hello has passed. */
  takeOverdue(nowMs: number): Session[] {
    const isKnown = (session: Session): boolean => session.node !== 0 || session.isClosing;
    const overdue = this.#strangers.filter(
      (session) => !isKnown(session) && session.helloDeadlineMs <= nowMs,
    );
    this.#strangers = this.#strangers.filter(
      (session) => !isKnown(session) && session.helloDeadlineMs > nowMs,
    );
    return overdue;
  }

  *all(): Iterable<Session> {
    for (const session of this.#slots) if (session !== undefined) yield session;
  }
}
