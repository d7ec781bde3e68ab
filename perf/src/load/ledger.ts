const CODES = 32;
const FIRST_REFUSAL = 16;

/** What became of the requests of one or more connections. */
export interface Account {
  sent: number;
  /** Answered with an outcome: executed. */
  acked: number;
  /** Answered with a refusal: not executed. */
  refused: number;
  /** Answers to requests that were not open: second answers, or answers to nothing. */
  unknown: number;
  /** Requests without an answer after the run has been drained. */
  unanswered: number;
  /** Answers by outcome or refusal code. */
  readonly codes: number[];
}

export function emptyAccount(): Account {
  return {
    sent: 0,
    acked: 0,
    refused: 0,
    unknown: 0,
    unanswered: 0,
    codes: new Array<number>(CODES).fill(0),
  };
}

/** Adds `part` to `sum`. */
export function addAccount(sum: Account, part: Account): void {
  sum.sent += part.sent;
  sum.acked += part.acked;
  sum.refused += part.refused;
  sum.unknown += part.unknown;
  sum.unanswered += part.unanswered;
  for (let code = 0; code < CODES; code++) sum.codes[code] += part.codes[code];
}

/** Books every request of a connection by its number, so that each gets one answer, its own. */
export class Ledger {
  account: Account = emptyAccount();
  /** Open requests. */
  open = 0;
  readonly #mask: number;
  readonly #numbers: Int32Array;
  readonly #times: Float64Array;

  /** `entries`, a power of two: how many later requests may be sent before one is answered. */
  constructor(entries: number) {
    this.#mask = entries - 1;
    this.#numbers = new Int32Array(entries).fill(-1);
    this.#times = new Float64Array(entries);
  }

  /** `time`: when the request was, or should have been, sent. */
  send(request: number, time: number): void {
    const entry = request & this.#mask;
    if (this.#numbers[entry] !== -1) {
      this.account.unanswered++; // overtaken by all the others: it will not be answered any more
      this.open--;
    }
    this.#numbers[entry] = request;
    this.#times[entry] = time;
    this.account.sent++;
    this.open++;
  }

  /** Returns the request's time, or −1 if it was not open. */
  answer(request: number, outcome: number, refusal: number): number {
    const entry = request & this.#mask;
    const account = this.account;
    if (this.#numbers[entry] !== request) {
      account.unknown++;
      return -1;
    }
    this.#numbers[entry] = -1;
    this.open--;
    if (outcome > 0 && outcome < FIRST_REFUSAL) account.acked++;
    else account.refused++;
    account.codes[(outcome || refusal) & (CODES - 1)]++;
    return this.#times[entry];
  }

  /** Ends a run: what is still open will not be answered. Returns its account and begins anew. */
  close(): Account {
    const account = this.account;
    account.unanswered += this.open;
    this.#numbers.fill(-1);
    this.open = 0;
    this.account = emptyAccount();
    return account;
  }
}
