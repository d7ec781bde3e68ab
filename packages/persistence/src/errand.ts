import { StoreError } from './store.js';

type Outcome<Value> =
  | { readonly value: Value; readonly error: undefined }
  | { readonly error: StoreError };

/** One call of the store at a time, begun in one turn and observed in a later one. */
export class Errand<Value> {
  readonly #wake: () => void;
  #isUnderWay = false;
  #outcome: Outcome<Value> | undefined;

  /** `wake`: called when a call has settled, from outside a turn. */
  constructor(wake: () => void) {
    this.#wake = wake;
  }

  /** Nothing is under way, nothing waits to be observed. */
  get isIdle(): boolean {
    return !this.#isUnderWay;
  }

  get hasEnded(): boolean {
    return this.#outcome !== undefined;
  }

  /** REQUIRES: idle. */
  begin(call: Promise<Value>): void {
    this.#isUnderWay = true;
    call.then(
      (value) => this.#end({ value, error: undefined }),
      (error: unknown) => {
        if (!(error instanceof StoreError)) throw error; // a bug: the thread ends
        this.#end({ error });
      },
    );
  }

  /** How it ended, once; undefined if it has not. */
  take(): Outcome<Value> | undefined {
    const outcome = this.#outcome;
    if (outcome === undefined) return undefined;
    this.#outcome = undefined;
    this.#isUnderWay = false;
    return outcome;
  }

  #end(outcome: Outcome<Value>): void {
    this.#outcome = outcome;
    this.#wake();
  }
}
