import type { Test } from 'tap';
import type { StoreErrorKind } from '#lib/store.js';

/** A store's call fails with this kind of error, and a sentence that matches. */
export async function rejects(
  t: Test,
  call: Promise<unknown>,
  kind: StoreErrorKind,
  sentence: RegExp = /\.$/,
): Promise<void> {
  const error: unknown = await call.then(
    () => undefined,
    (reason) => reason,
  );
  t.match(error, { name: 'StoreError', kind, message: sentence }, `${kind} ${sentence}`);
}
