import { type Client, connect } from '@tidewire/client';
import { type Exit, type Io, UsageError } from './io.js';

/** Options of all commands together, as they were given; each command names those it takes. */
export interface Flags {
  readonly safe?: boolean;
  readonly map?: string;
  readonly key?: string;
  readonly where?: string;
  readonly from?: string;
  readonly old?: boolean;
  readonly 'max-hz'?: string;
  readonly 'order-by'?: string;
  readonly descending?: boolean;
  readonly limit?: string;
  readonly format?: string;
  readonly requeue?: boolean;
  readonly 'database-url'?: string;
  readonly 'data-dir'?: string;
  readonly admin?: string;
}

export interface Call {
  readonly operands: readonly string[];
  readonly flags: Flags;
  readonly url: string;
  /** Empty: none. */
  readonly token: string;
  readonly io: Io;
}

export interface Command {
  readonly name: string;
  /** Operands and options, as in `put MAP KEY JSON [--safe]`. */
  readonly usage: string;
  readonly summary: string;
  /** More lines of help. */
  readonly details: readonly string[];
  /** How many operands it takes, at least and at most. */
  readonly operands: readonly [min: number, max: number];
  readonly flags: readonly (keyof Flags)[];
  run(call: Call): Promise<Exit>;
}

/** Runs `work` with a connected client, which is closed afterwards. */
export async function withClient<A>(
  { url, token }: Pick<Call, 'url' | 'token'>,
  work: (client: Client) => Promise<A>,
): Promise<A> {
  const client = await connect(url, { token });
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** The number that an option was given. @throws UsageError unless it is whole and at least 1. */
export function wholeNumber(option: keyof Flags, text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : 0;
  if (number >= 1) return number;
  throw new UsageError(`--${option} wants a whole number from 1 on, not "${text}"`);
}
