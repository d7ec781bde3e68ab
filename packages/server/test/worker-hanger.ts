/**
 * Preload of a server whose first partition worker hangs in its first turn, while the server starts. The
 * product has no hook for this.
 */

import { existsSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { WorkerControl } from '@tidewire/core/threads';

const file = process.env['HANG_ONCE'];
const { store } = Atomics;

function isFirst(path: string): boolean {
  if (existsSync(path)) return false;
  writeFileSync(path, '');
  return true;
}

if (!isMainThread && file !== undefined)
  Object.assign(Atomics, {
    store(words: Int32Array, index: number, value: number): number {
      const isTurn =
        index === WorkerControl.HEARTBEAT && words.length === WorkerControl.CONTROL_WORDS;
      if (isTurn && isFirst(file)) for (;;);
      return store(words, index, value);
    },
  });
