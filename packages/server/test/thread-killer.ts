/**
 * Preload of a server whose persistence thread can be ended from outside: SIGUSR2 ends the thread that
 * was started last, and with KILL_HEIRS set every one that follows it. The product has no hook for this.
 */
import { syncBuiltinESMExports } from 'node:module';
import threads, { isMainThread, Worker, type WorkerOptions } from 'node:worker_threads';

let last: Worker | undefined;
let hasKilled = false;

class MortalWorker extends Worker {
  constructor(file: string | URL, options?: WorkerOptions) {
    super(file, options);
    last = this;
    if (hasKilled && process.env['KILL_HEIRS'] !== undefined) void this.terminate();
  }
}

if (isMainThread) {
  Object.assign(threads, { Worker: MortalWorker });
  syncBuiltinESMExports();
  process.on('SIGUSR2', () => {
    hasKilled = true;
    void last?.terminate();
  });
}
