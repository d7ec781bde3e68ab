/**
 * Preload of a server whose persistence thread can be ended from outside: SIGUSR2 ends the one that was
 * started last, and with KILL_HEIRS set every thread that follows it. The product has no hook for this.
 */
import { syncBuiltinESMExports } from 'node:module';
import threads, { isMainThread, Worker, type WorkerOptions } from 'node:worker_threads';

let last: Worker | undefined;
let hasKilled = false;

class MortalWorker extends Worker {
  constructor(file: string | URL, options?: WorkerOptions) {
    super(file, options);
    if (hasKilled && process.env['KILL_HEIRS'] !== undefined) void this.terminate();
  }

  /** The thread pool tells each of its threads what to run. */
  override postMessage(
    message: unknown,
    transferList?: Parameters<Worker['postMessage']>[1],
  ): void {
    const { filename } = message as { filename?: unknown };
    if (/persistence-main/.test(String(filename))) last = this;
    super.postMessage(message, transferList);
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
