import { Code } from '@tidewire/core';
import type { Environment } from './environment.js';
import { TidewireError } from './error.js';

/** Gets a token: called for each connection, and before the last one's ends. */
export type TokenCallback = () => string | Promise<string>;

export type TokenSource = string | TokenCallback;

const MARGIN_MS_MAX = 60_000;
const WAIT_MS_MIN = 1000;
const WAIT_MS_MAX = 86_400_000;

/** Rejects with TidewireError UNAVAILABLE. */
export function fetchToken(
  source: TokenCallback,
  { environment, timeoutMs }: { environment: Environment; timeoutMs: number },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new TidewireError(Code.UNAVAILABLE, why));
    const cancel = environment.startTimer(() => fail('No token came in time.'), timeoutMs);
    const onError = (error: unknown): void =>
      fail(`No token could be had: ${error instanceof Error ? error.message : 'it was refused'}.`);
    void Promise.resolve().then(source).then(resolve, onError).finally(cancel);
  });
}

/** When to refresh a token that ends in `leftMs`: well before, yet not all the time. */
export function refreshWaitMs(leftMs: number): number {
  const waitMs = leftMs - Math.min(MARGIN_MS_MAX, leftMs / 2);
  return Math.min(Math.max(waitMs, WAIT_MS_MIN), WAIT_MS_MAX);
}
