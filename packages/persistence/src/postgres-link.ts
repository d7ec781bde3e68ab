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

export type Rows = postgres.RowList<postgres.Row[]>;

/** The connections of one attempt to reach the server. Once one of them is lost, all are left. */
export interface Link {
  /** Flushes and reads. */
  readonly sql: postgres.Sql;
  /** Holds the advisory lock. */
  readonly lock: postgres.Sql;
  lost: boolean;
}

const CLOSE_SECONDS = 5;

/** The only file that knows the driver, the types of its statements apart. Connects when used. */
export function dial(connection: DatabaseConnection): Link {
  const lose = (): void => {
    link.lost = true;
  };
  const link: Link = {
    sql: connect(connection, DATABASE_CONNECTIONS, lose),
    lock: connect(connection, 1, lose),
    lost: false,
  };
  return link;
}

function connect(connection: DatabaseConnection, max: number, onclose: () => void): postgres.Sql {
  const options: postgres.Options<Record<string, postgres.PostgresType>> = {
    max,
    onclose,
    onnotice: () => {},
    idle_timeout: 0,
    max_lifetime: null,
    connect_timeout: DATABASE_CONNECT_MS / 1000,
    fetch_types: true, // else a connection that is opened for a transaction is never given out
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

export async function leave(link: Link): Promise<void> {
  const timeout = link.lost ? 0 : CLOSE_SECONDS;
  link.lost = true;
  await Promise.allSettled([link.sql.end({ timeout }), link.lock.end({ timeout })]);
}

/**
 * Awaits a statement, for a time. Rejects with StoreError. A link that failed is left, unless the
 * error was about the data.
 */
export async function attempt<T>(link: Link, statement: PromiseLike<T>): Promise<T> {
  try {
    return await within(DATABASE_STATEMENT_MS, statement);
  } catch (error) {
    const failure = toStoreError(error);
    if (failure.kind === 'UNAVAILABLE') link.lost = true;
    throw failure;
  }
}

/** Rejects if `statement` takes longer; nobody can tell then what became of it. */
export async function within<T>(ms: number, statement: PromiseLike<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer for ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([statement, late]);
  } finally {
    clearTimeout(timer);
  }
}
