/** A cursor as Hello carries it; sequences by partition. */
export interface CursorFields {
  readonly store: bigint;
  readonly epoch: bigint;
  readonly delivered: ReadonlyMap<number, number>;
  /** Above `delivered` only. */
  readonly seen: ReadonlyMap<number, number>;
}

/** What a new connection's Welcome makes of the cursor. `none`: no Progress has come yet. */
export type CursorFate = 'none' | 'holds' | 'void';

/**
 * How far this client has got. `delivered` moves by Progress frames alone; `seen` says what the client
 * has heard of beyond it, so that a server can tell whether that was lost with an earlier start of it.
 */
export class Cursor {
  #store: bigint | undefined;
  /** Of `#delivered`: stays behind the server's until its first Progress. */
  #epoch = 0n;
  #serverEpoch = 0n;
  #hasMoved = false;
  readonly #delivered = new Map<number, number>();
  /** Since `#epoch`. A later epoch's numbers lie above what an earlier one made durable. */
  #seen = new Map<number, number>();
  /** Of the server's epoch alone: takes the place of `#seen` with its first Progress. */
  #seenOfServer = new Map<number, number>();

  /** Undefined as long as there is nothing to resume from. */
  get fields(): CursorFields | undefined {
    if (this.#store === undefined || !this.#hasMoved) return undefined;
    const ahead = ([partition, sequence]: [number, number]): boolean =>
      sequence > (this.#delivered.get(partition) ?? 0);
    return {
      store: this.#store,
      epoch: this.#epoch,
      delivered: this.#delivered,
      seen: new Map([...this.#seen].filter(ahead)),
    };
  }

  /** A database other than before, or one set back, makes it void. */
  welcome({ store, epoch }: { store: bigint; epoch: bigint }): CursorFate {
    const isForeign = this.#store !== undefined && this.#store !== store;
    if (isForeign || epoch < this.#serverEpoch) {
      this.#forget();
      this.#enter(store, epoch);
      return 'void';
    }
    if (epoch !== this.#serverEpoch) this.#enter(store, epoch);
    return this.#hasMoved ? 'holds' : 'none';
  }

  /** An event or a result of the present server carried this sequence. */
  see(partition: number, sequence: number): void {
    raise(this.#seen, partition, sequence);
    raise(this.#seenOfServer, partition, sequence);
  }

  /** Everything up to these sequences of the present server has been delivered. */
  move(delivered: ReadonlyMap<number, number>): void {
    if (this.#epoch !== this.#serverEpoch) this.#seen = new Map(this.#seenOfServer);
    this.#epoch = this.#serverEpoch;
    this.#hasMoved = true;
    for (const [partition, sequence] of delivered) this.#delivered.set(partition, sequence);
  }

  #enter(store: bigint, epoch: bigint): void {
    this.#store = store;
    this.#serverEpoch = epoch;
    this.#seenOfServer = new Map();
  }

  #forget(): void {
    this.#hasMoved = false;
    this.#delivered.clear();
    this.#seen.clear();
  }
}

function raise(sequences: Map<number, number>, partition: number, sequence: number): void {
  if (sequence > (sequences.get(partition) ?? 0)) sequences.set(partition, sequence);
}
