import { DATABASE_CONNECT_MS, DATABASE_CONNECTIONS, DATABASE_STATEMENT_MS } from '@tidewire/core';
import postgres from 'postgres';
import { toStoreError } from './postgres-error.js';

/** Where the database is. A plain value, so that it can be sent to a thread. */
export type DatabaseConnection =
  | { readonly url: string }
  | {
      /** Host name, or the folder of a Unix socket. */
      readonly host: string;
      readonly port: number;
      readonly user: string;
      readonly database: string;
    };

/** One connection. */
export type Lane = postgres.Sql;
export type Rows = postgres.RowList<postgres.Row[]>;

const CLOSE_SECONDS = 5;
const LOST = 'the connection was lost';

/**
 * The connections of one attempt to reach the server. Once one of them is lost, all are left. The
 * only file that knows the driver, the types of its statements apart.
 */
export class Link {
  /** Holds the advisory lock. */
  readonly lock: Lane;
  readonly #lanes: readonly Lane[];
  readonly #free: Lane[];
  readonly #waiting: ((lane: Lane) => void)[] = [];
  readonly #awaited: Set<() => void> = new Set();
  #isLost = false;

  /** Connects when used. */
  constructor(connection: DatabaseConnection) {
    const lane = (): Lane => connect(connection, () => this.lose());
    this.lock = lane();
    this.#lanes = Array.from({ length: DATABASE_CONNECTIONS }, lane);
    this.#free = [...this.#lanes];
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  lose(): void {
    this.#isLost = true;
    for (const abandon of this.#awaited) abandon();
  }

  /** The driver would connect anew, and say to nobody what belongs behind what came before. */
  requireAlive(): void {
    if (this.#isLost) throw new Error(LOST);
  }

  /** Runs `work` on a connection that nobody else uses meanwhile. */
  async use<T>(work: (lane: Lane) => Promise<T>): Promise<T> {
    const lane = this.#free.pop() ?? (await new Promise<Lane>((turn) => this.#waiting.push(turn)));
    try {
      this.requireAlive();
      return await work(lane);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free.push(lane);
      else next(lane);
    }
  }

  /**
   * Awaits what is said to the server, for a time. Rejects with StoreError. After a failure the
   * connections are left, unless the error was about the data.
   */
  async attempt<T>(said: PromiseLike<T>): Promise<T> {
    try {
      return await this.#answerOf(said);
    } catch (error) {
      const failure = toStoreError(error);
      if (failure.kind === 'UNAVAILABLE') this.lose();
      throw failure;
    }
  }

  /**
   * Rejects if no answer comes in time, and as soon as a connection is lost: the driver does not always
   * tell those who wait. Nobody knows then what became of what was said.
   */
  async #answerOf<T>(said: PromiseLike<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    let abandon = (): void => {};
    const none = new Promise<never>((_, reject) => {
      abandon = () => reject(new Error(LOST));
      const late = `no answer for ${DATABASE_STATEMENT_MS / 1000} s`;
      timer = setTimeout(() => reject(new Error(late)), DATABASE_STATEMENT_MS);
    });
    this.#awaited.add(abandon);
    if (this.#isLost) abandon();
    try {
      return await Promise.race([said, none]);
    } finally {
      clearTimeout(timer);
      this.#awaited.delete(abandon);
    }
  }

  /** Ends all connections, in order if none is lost. */
  async leave(): Promise<void> {
    const timeout = this.#isLost ? 0 : CLOSE_SECONDS;
    this.lose();
    await Promise.allSettled([this.lock, ...this.#lanes].map((lane) => lane.end({ timeout })));
  }
}

/**
 * A connection for one stream of rows, to be ended by its user. The driver may leave its socket paused
 * at the end of the stream, so that nothing can come after.
 */
export function dialReader(connection: DatabaseConnection): Lane {
  return connect(connection, () => {});
}

function connect(connection: DatabaseConnection, onclose: () => void): Lane {
  const options: postgres.Options<Record<string, postgres.PostgresType>> = {
    max: 1,
    onclose,
    onnotice: () => {},
    idle_timeout: 0,
    max_lifetime: null,
    connect_timeout: DATABASE_CONNECT_MS / 1000,
    fetch_types: false,
    connection: {
      application_name: 'tidewire',
      // A server must not keep the lock of a client that vanished.
      tcp_keepalives_idle: 10,
      tcp_keepalives_interval: 5,
      tcp_keepalives_count: 3,
    },
  };
  if ('url' in connection) return postgres(connection.url, options);
  return postgres({ ...options, ...connection });
}
