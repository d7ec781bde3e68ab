import { PARTITIONS } from '@tidewire/core';
import { ProgressMessage, RecordLayout } from '@tidewire/core/threads';
import type { ControlFrames } from '../control-frames.js';
import type { Session } from '../session/session.js';
import type { Resumed } from './resume.js';

/** What sessions were told at one time; never changes. */
export interface Published {
  readonly round: number;
  readonly sequences: Float64Array;
}

/**
 * Tells sessions how far they have got. What is published holds for everybody who hears Progress:
 * it is taken from PROGRESS records, all events before them have been published, and a session hears
 * it only while nothing of its subscriptions is missing. Nobody joins a topic for it: that would cost
 * every session memory, and it is said once a second at most.
 */
export class ProgressDesk {
  readonly #control: ControlFrames;
  readonly #sessions: () => Iterable<Session>;
  readonly #send: (session: Session, bytes: Uint8Array) => void;
  /** Workers that have not reported yet: until then nothing can be told. */
  readonly #unheard: Set<number>;
  /** As workers have reported. */
  readonly #delivered: Float64Array = new Float64Array(PARTITIONS);
  #published: Published = { round: 0, sequences: new Float64Array(PARTITIONS) };
  /** The Progress of those who have been told nothing: many come at one time. */
  #whole: { readonly round: number; readonly frame: Uint8Array } | undefined;
  /** Something has been published for the first time. */
  onBegun: () => void = () => {};

  constructor(options: {
    workers: number;
    control: ControlFrames;
    /** All that are open. */
    sessions: () => Iterable<Session>;
    send: (session: Session, bytes: Uint8Array) => void;
  }) {
    this.#control = options.control;
    this.#sessions = options.sessions;
    this.#send = options.send;
    this.#unheard = new Set(Array.from({ length: options.workers }, (_, worker) => worker));
  }

  get published(): Published {
    return this.#published;
  }

  /** Whether it is known where sessions stand. */
  get hasBegun(): boolean {
    return this.#published.round > 0;
  }

  /** All workers have reported, and nothing has been published yet. */
  get isFirstDue(): boolean {
    return !this.hasBegun && this.#unheard.size === 0;
  }

  /** What `session` was told last on this connection. */
  toldTo(session: Session): Published | undefined {
    return session.isOnProgress ? this.#published : session.told;
  }

  /** Takes a worker's PROGRESS record. */
  onReport(worker: number, words: Int32Array, at: number): void {
    this.#unheard.delete(worker);
    const end = at + ProgressMessage.ENTRIES + words[at] * ProgressMessage.ENTRY_WORDS;
    for (let i = at + ProgressMessage.ENTRIES; i < end; i += ProgressMessage.ENTRY_WORDS) {
      const sequence = RecordLayout.joinWords(words[i + 1], words[i + 2]);
      if (sequence > this.#delivered[words[i]]) this.#delivered[words[i]] = sequence;
    }
  }

  /** REQUIRES: all events taken so far have been published. */
  publish(): void {
    if (this.#unheard.size > 0) return;
    const moved = differing(this.#delivered, this.#published.sequences);
    if (moved.length > 0 || !this.hasBegun) this.#advance(moved);
  }

  /**
   * Nothing of the session's subscriptions is missing: tells it so, and whatever comes next.
   * REQUIRES: something has been published.
   */
  admit(session: Session): void {
    if (session.isOnProgress || session.isClosing) return;
    const frame = this.#frameFor(session);
    session.isOnProgress = true;
    this.#send(session, frame);
  }

  /** Something of the session's subscriptions is missing, or it has none, or it closes. */
  dismiss(session: Session): void {
    if (!session.isOnProgress) return;
    session.isOnProgress = false;
    session.told = this.#published;
  }

  #advance(moved: readonly number[]): void {
    const sequences = this.#delivered.slice();
    this.#published = { round: this.#published.round + 1, sequences };
    if (this.#published.round === 1) this.onBegun();
    else this.#tell(this.#control.progress(moved, sequences));
  }

  /** Sending may suspend or close any session. */
  #tell(frame: Uint8Array): void {
    for (const session of this.#sessions()) if (session.isOnProgress) this.#send(session, frame);
  }

  #frameFor({ told, resumption }: Session): Uint8Array {
    const { sequences } = this.#published;
    if (told !== undefined)
      return this.#control.progress(differing(sequences, told.sequences), sequences);
    if (resumption.refusal !== undefined) return this.#wholeFrame();
    return this.#control.progress(untold(resumption, sequences), sequences);
  }

  #wholeFrame(): Uint8Array {
    const { round, sequences } = this.#published;
    if (this.#whole?.round === round) return this.#control.refreshed(this.#whole.frame);
    const frame = this.#control.progress(standing(sequences), sequences);
    this.#whole = { round, frame };
    return frame;
  }
}

/**
 * Partitions that stand elsewhere than the cursor of Hello; if that is of another epoch, all that
 * stand at all: where the number is the same by chance it does not mean the same.
 */
function untold(resumption: Resumed, sequences: Float64Array): number[] {
  const moved = differing(sequences, resumption.delivered);
  return resumption.isForeign ? [...new Set([...moved, ...standing(sequences)])] : moved;
}

function differing(left: Float64Array, right: Float64Array): number[] {
  const partitions: number[] = [];
  for (let p = 0; p < PARTITIONS; p++) if (left[p] !== right[p]) partitions.push(p);
  return partitions;
}

function standing(sequences: Float64Array): number[] {
  return differing(sequences, new Float64Array(PARTITIONS));
}
