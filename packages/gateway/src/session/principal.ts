import type { MapMaker } from '@tidewire/partition-worker/front';
import type { Session } from './session.js';

/**
 * Whose it is that sessions use up of what is there for all: a subject, or an address for tokens without
 * one. Each has a share, however many connections it has; who may do everything is not counted.
 */
export class Principal implements MapMaker {
  readonly name: string;
  sessions = 0;
  maps = 0;
  /** Records put for as long as its connections last. */
  presence = 0;
  /** Subscriptions whose predicate no index serves. */
  unindexed = 0;
  /** Maps that it watches and nobody had written then, by name, with the count of its subscriptions. */
  readonly unwritten: Map<string, number> = new Map();

  constructor(name: string) {
    this.name = name;
  }

  get isIdle(): boolean {
    return this.sessions === 0 && this.maps === 0 && this.presence === 0;
  }

  watch(map: string): void {
    this.unwritten.set(map, (this.unwritten.get(map) ?? 0) + 1);
  }

  unwatch(map: string): void {
    const left = (this.unwritten.get(map) ?? 0) - 1;
    if (left > 0) this.unwritten.set(map, left);
    else this.unwritten.delete(map);
  }
}

/** The principals that use something, or have sessions. */
export class Principals {
  readonly #byName: Map<string, Principal> = new Map();
  /** Without sessions. */
  readonly #left: Set<Principal> = new Set();

  get count(): number {
    return this.#byName.size;
  }

  /** The session, whose authority is known, uses up what is its principal's from now on. */
  enter(session: Session): void {
    if (session.authority === undefined) return;
    const { subject, client } = session;
    const name = subject === '' ? `address ${client.address}` : `subject ${subject}`;
    const principal = this.#byName.get(name) ?? new Principal(name);
    this.#byName.set(name, principal);
    this.#left.delete(principal);
    principal.sessions++;
    session.principal = principal;
  }

  /** The session has closed; what it has used is counted until it is free. */
  leave(session: Session): void {
    const { principal } = session;
    session.principal = undefined;
    if (principal === undefined) return;
    if (--principal.sessions === 0) this.#left.add(principal);
  }

  /** Forgets those who use nothing any more. */
  sweep(): void {
    for (const principal of this.#left) {
      if (!principal.isIdle) continue;
      this.#left.delete(principal);
      this.#byName.delete(principal.name);
    }
  }
}
