import type { OperationDraft, OperationSender } from './operation-sender.js';
import { writeResultOf } from './result.js';
import type { ServerClock } from './server-clock.js';
import type { WriteResult } from './write-result.js';

interface Held {
  readonly draft: OperationDraft;
  /** The server has answered that it stands; else its put is still under way. */
  isStanding: boolean;
}

/**
 * Keeps what this client has put for as long as it is connected: a new connection that the server does not
 * take for a continuation of the last one puts it again. What the client writes later under the
 * same key takes its place, from the call on.
 */
export class Presence {
  readonly #sender: OperationSender;
  readonly #clock: ServerClock;
  readonly #reportError: (error: unknown) => void;
  /** By map and key. */
  readonly #held: Map<string, Held> = new Map();

  constructor(options: {
    sender: OperationSender;
    clock: ServerClock;
    /** Told why something could not be put again. */
    reportError: (error: unknown) => void;
  }) {
    this.#sender = options.sender;
    this.#clock = options.clock;
    this.#reportError = options.reportError;
  }

  /** Every write passes here, on its way to the sender. */
  async submit(draft: OperationDraft, send: () => Promise<WriteResult>): Promise<WriteResult> {
    if (!draft.whileConnected) {
      this.forget(draft);
      return send();
    }
    const held = { draft: { ...draft, value: draft.value.slice() }, isStanding: false };
    this.#held.set(nameOf(draft), held);
    return this.#settle(held, send());
  }

  /** The key is written in another way. */
  forget(draft: OperationDraft): void {
    this.#held.delete(nameOf(draft));
  }

  /** A connection stands. `isKept`: so does everything that was put over the last one. */
  onReady(isKept: boolean): void {
    if (isKept) return;
    for (const held of this.#held.values()) if (held.isStanding) this.#putAgain(held);
  }

  #putAgain(held: Held): void {
    held.isStanding = false;
    const draft = { ...held.draft, stamp: this.#clock.tick() };
    this.#settle(held, this.#sender.submit(draft, writeResultOf)).catch(this.#reportError);
  }

  async #settle(held: Held, sent: Promise<WriteResult>): Promise<WriteResult> {
    try {
      const result = await sent;
      held.isStanding = result.outcome !== 'SUPERSEDED';
      return result;
    } finally {
      if (!held.isStanding) this.#drop(held);
    }
  }

  #drop(held: Held): void {
    const name = nameOf(held.draft);
    if (this.#held.get(name) === held) this.#held.delete(name);
  }
}

function nameOf({ map, key }: OperationDraft): string {
  return `${map}\0${key}`; // neither has a NUL
}
