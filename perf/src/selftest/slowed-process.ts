/**
 * Preload of a server that is to be slow: its worker threads start by way of slowed-worker.js. The
 * product itself has no hook for this.
 */
import { syncBuiltinESMExports } from 'node:module';
import threads, { Worker, type WorkerOptions } from 'node:worker_threads';

const ENTRY: URL = new URL('./slowed-worker.js', import.meta.url);

class SlowedWorker extends Worker {
  constructor(file: string | URL, options?: WorkerOptions) {
    super(ENTRY, { ...options, argv: [String(file)] });
  }
}

Object.assign(threads, { Worker: SlowedWorker });
syncBuiltinESMExports();
