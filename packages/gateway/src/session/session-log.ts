import type { Code } from '@tidewire/core';

/** Is told what happens to connections, each by its number. No token, key or value is among it. */
export interface SessionLog {
  opened(connection: number, address: string): void;
  /** The server closes it, for this reason. */
  refused(connection: number, code: Code, reason: string): void;
  closed(connection: number): void;
}

export const NO_LOG: SessionLog = { opened: () => {}, refused: () => {}, closed: () => {} };
