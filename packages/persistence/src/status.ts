/** What the persistence thread tells its owner. Plain values, sent by message. */
export type PersistenceStatus =
  /** The store is this process's own now. */
  | {
      readonly kind: 'opened';
      readonly epoch: number;
      /** The store's own random number, 63 bits. */
      readonly store: bigint;
    }
  | { readonly kind: 'recovering'; readonly records: number }
  /** All workers have everything; the stamp is the highest stored one. The engine runs. */
  | {
      readonly kind: 'recovered';
      readonly records: number;
      readonly ms: number;
      readonly counter: number;
      /**
       * For each of the last EPOCHS_KEPT earlier epochs the sequence of each partition up to which its
       * changes have come back; 0: none has.
       */
      readonly bases: ReadonlyMap<number, Float64Array>;
    }
  /** Or: it is for another reason than was told. */
  | { readonly kind: 'down'; readonly reason: string }
  | { readonly kind: 'up' }
  /** A record that the store refuses was put aside, for the reason that `code` names: see StoreError. */
  | {
      readonly kind: 'buried';
      readonly map: string;
      readonly key: string;
      readonly code: string;
    }
  /** Another process has taken over: this one must stop. */
  | { readonly kind: 'fenced'; readonly reason: string }
  /** The start is impossible. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** The thread has ended; so many changes are in memory alone. */
  | { readonly kind: 'stopped'; readonly unflushed: number };

/** What the owner may ask of the thread. */
export interface PersistenceCommand {
  readonly kind: 'stop';
  /** Time for the last flushes. */
  readonly deadlineMs: number;
}
