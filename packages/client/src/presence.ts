import type { OperationDraft, OperationSender } from './operation-sender.js';
import { writeResultOf } from './result.js';
import type { ServerClock } from './server-clock.js';
import type { WriteResult } from './write-result.js';

interface Held {
  readonly draft: OperationDraft;
  /** The server has answered that it stands; else its put is still under way. */
  isStanding: boolean;
  /**
   * A connection on which nothing was kept has come while its put was under way: a DUPLICATE then means
   * a record of the last connection, or of a server before this one, that comes to its end.
   */
  isDoubtful: boolean;
}

const UNDER_WAY = { isStanding: false, isDoubtful: false };

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
    const held = { draft: { ...draft, value: draft.value.slice() }, ...UNDER_WAY };
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
    for (const held of this.#held.values()) {
      if (held.isStanding) this.#putAgain(held);
      else held.isDoubtful = true;
    }
  }

  #putAgain(held: Held): void {
    Object.assign(held, UNDER_WAY);
    const draft = { ...held.draft, stamp: this.#clock.tick() };
    this.#settle(held, this.#sender.submit(draft, writeResultOf)).catch(this.#reportError);
  }

  async #settle(held: Held, sent: Promise<WriteResult>): Promise<WriteResult> {
    const result = await sent.catch((error: unknown) => {
      this.#drop(held);
      throw error;
    });
    held.isStanding = result.outcome !== 'SUPERSEDED';
    if (!held.isStanding) this.#drop(held);
    else if (held.isDoubtful && result.outcome === 'DUPLICATE' && this.#isLatest(held))
      this.#putAgain(held);
    return result;
  }

  /** Else the key has been written in another way since. */
  #isLatest(held: Held): boolean {
    return this.#held.get(nameOf(held.draft)) === held;
  }

  #drop(held: Held): void {
    if (this.#isLatest(held)) this.#held.delete(nameOf(held.draft));
  }
}

function nameOf({ map, key }: OperationDraft): string {
  return `${map}\0${key}`; // neither has a NUL
}
