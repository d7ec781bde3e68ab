import { Entry, entryFieldsOf } from './entry.js';
import type { TidewireError } from './error.js';
import type { Change } from './held-records.js';
import type { InterestFields } from './interest.js';
import type { Where } from './predicate.js';
import type { Subscriber } from './subscriber.js';
import type { SubscribeOptions, Subscription } from './subscription.js';

export interface LiveOptions<T>
  extends Pick<SubscribeOptions, 'key' | 'maxHz' | 'onGap' | 'onLag' | 'onEnd'> {
  /** Only records for which it holds. Not together with a key. */
  readonly where?: Where<T>;
}

/** Without an entry the key is gone. */
export type LiveListener<T> = (key: string, entry: Entry<T> | undefined) => void;

/**
 * The records of a subscription as they stand, kept up to date: read it like a Map. While a connection
 * is away it shows what was last known; after `close`, or once the subscription has ended, for good.
 */
export class LiveView<T> {
  readonly #entries: ReadonlyMap<string, Entry<T>>;
  readonly #listeners: Set<LiveListener<T>>;
  readonly #subscription: Subscription;

  constructor({ entries, listeners }: ViewKeeper<T>, subscription: Subscription) {
    this.#entries = entries;
    this.#listeners = listeners;
    this.#subscription = subscription;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Entry<T> | undefined {
    return this.#entries.get(key);
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  keys(): MapIterator<string> {
    return this.#entries.keys();
  }

  values(): MapIterator<Entry<T>> {
    return this.#entries.values();
  }

  entries(): MapIterator<[string, Entry<T>]> {
    return this.#entries.entries();
  }

  [Symbol.iterator](): MapIterator<[string, Entry<T>]> {
    return this.entries();
  }

  /** Hears of every change from now on, once the view has it. The function returned ends that. */
  onChange(listener: LiveListener<T>): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#subscription.close();
  }
}

/** Resolves when everything that stands is in the view. */
export async function openLiveView<T>(
  { subscriber, reportError }: { subscriber: Subscriber; reportError: (error: unknown) => void },
  fields: InterestFields,
  options: LiveOptions<T>,
): Promise<LiveView<T>> {
  const keeper = new ViewKeeper<T>(reportError);
  let onFull = (): void => {};
  let onEnd: (error: TidewireError) => void = () => {};
  const full = new Promise<void>((resolve, reject) => {
    onFull = resolve;
    onEnd = reject;
  });
  const handlers = {
    ...options,
    onReady: () => {
      onEnd = options.onEnd ?? (() => {});
      onFull();
    },
    onEnd: (error: TidewireError) => onEnd(error),
  };
  const subscription = await subscriber.subscribe(
    fields,
    (change) => keeper.take(change),
    handlers,
  );
  await full;
  return new LiveView(keeper, subscription);
}

/** The side of a view that writes. */
class ViewKeeper<T> {
  readonly entries: Map<string, Entry<T>> = new Map();
  readonly listeners: Set<LiveListener<T>> = new Set();
  readonly #reportError: (error: unknown) => void;

  constructor(reportError: (error: unknown) => void) {
    this.#reportError = reportError;
  }

  take({ key, kind, event }: Change): void {
    const entry = event === undefined || kind === 'leave' ? undefined : keptEntryOf<T>(event);
    if (entry) this.entries.set(key, entry);
    else this.entries.delete(key);
    for (const listener of this.listeners) this.#tell(listener, key, entry);
  }

  #tell(listener: LiveListener<T>, key: string, entry: Entry<T> | undefined): void {
    try {
      listener(key, entry);
    } catch (error) {
      this.#reportError(error);
    }
  }
}

/** The bytes of an event lie in their frame, which would live as long as they do. */
function keptEntryOf<T>(event: NonNullable<Change['event']>): Entry<T> {
  const fields = entryFieldsOf(event);
  return new Entry<T>({ ...fields, bytes: fields.bytes.slice() });
}
