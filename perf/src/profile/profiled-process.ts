/**
 * Preload of a server that is to be profiled: on SIGUSR2 all its threads begin to sample, on the
 * next they end, and a profile each is written to the folder named behind `?folder=`.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { ThreadInspector } from '../measure/thread-inspector.js';

const SAMPLING_MICROS = 200;
/** Tells the other side that all profiles are there. */
const COMPLETE = 'complete';

/** The profilers of this process: of its main thread, and through it of its worker threads. */
class ThreadProfiler {
  readonly #folder: string;
  readonly #threads: ThreadInspector = new ThreadInspector();
  #isSampling = false;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async toggle(): Promise<void> {
    if (this.#isSampling) await this.#end();
    else await this.#begin();
    this.#isSampling = !this.#isSampling;
  }

  async #begin(): Promise<void> {
    await this.#threads.connect();
    await this.#threads.askAll('Profiler.enable');
    await this.#threads.askAll('Profiler.setSamplingInterval', { interval: SAMPLING_MICROS });
    await this.#threads.askAll('Profiler.start');
  }

  async #end(): Promise<void> {
    const profiles = await this.#threads.askAll('Profiler.stop');
    for (const [name, answer] of profiles)
      writeFileSync(
        join(this.#folder, `${name}.cpuprofile`),
        JSON.stringify(answer.result?.profile),
      );
    writeFileSync(join(this.#folder, COMPLETE), '');
  }
}

if (isMainThread) {
  const folder = new URL(import.meta.url).searchParams.get('folder');
  if (folder === null) throw new Error('a profiled process is told its folder');
  const profiler = new ThreadProfiler(folder);
  process.on('SIGUSR2', () => void profiler.toggle());
}
