import { type Client, connect } from '@tidewire/client';
import type { Exit, Io } from './io.js';

/** Options of all commands together; each command names those it takes. */
export interface Flags {
  readonly safe: boolean;
  readonly map: string | undefined;
  readonly key: string | undefined;
}

export interface Call {
  readonly operands: readonly string[];
  readonly flags: Flags;
  readonly url: string;
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
export async function withClient<A>(url: string, work: (client: Client) => Promise<A>): Promise<A> {
  const client = await connect(url);
  try {
    return await work(client);
  } finally {
    client.close();
  }
}
