/**
 * Preload of a server that is to be profiled: on SIGUSR2 all its threads begin to sample, on the
 * next they end, and a profile each is written to the folder named behind `?folder=`.
 */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';

const SAMPLING_MICROS = 200;
/** Tells the other side that all profiles are there. */
const COMPLETE = 'complete';

interface Answer {
  readonly id?: number;
  readonly result?: { readonly profile?: unknown };
  readonly error?: { readonly message: string };
}

/** The profilers of this process: of its main thread, and through it of its worker threads. */
class ThreadProfiler {
  readonly #folder: string;
  readonly #session: Session = new Session();
  readonly #workers: Map<string, string> = new Map();
  readonly #waiting: Map<number, (answer: Answer) => void> = new Map();
  #isSampling = false;
  #calls = 0;

  constructor(folder: string) {
    this.#folder = folder;
    this.#session.on('NodeWorker.attachedToWorker', ({ params }) => {
      this.#workers.set(params.sessionId, `thread-${params.workerInfo.workerId}`);
    });
    this.#session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
      const answer = JSON.parse(params.message) as Answer;
      if (answer.id !== undefined) this.#waiting.get(answer.id)?.(answer);
    });
  }

  async toggle(): Promise<void> {
    if (this.#isSampling) await this.#end();
    else await this.#begin();
    this.#isSampling = !this.#isSampling;
  }

  async #begin(): Promise<void> {
    this.#session.connect();
    await this.#askMain('NodeWorker.enable', { waitForDebuggerOnStart: false });
    await this.#askAll('Profiler.enable');
    await this.#askAll('Profiler.setSamplingInterval', { interval: SAMPLING_MICROS });
    await this.#askAll('Profiler.start');
  }

  async #end(): Promise<void> {
    const profiles = await this.#askAll('Profiler.stop');
    for (const [name, answer] of profiles)
      writeFileSync(
        join(this.#folder, `${name}.cpuprofile`),
        JSON.stringify(answer.result?.profile),
      );
    writeFileSync(join(this.#folder, COMPLETE), '');
  }

  async #askAll(method: string, params: object = {}): Promise<[string, Answer][]> {
    const main = this.#askMain(method, params).then((answer): [string, Answer] => ['main', answer]);
    const others = [...this.#workers].map(
      async ([session, name]): Promise<[string, Answer]> => [
        name,
        await this.#askWorker(session, method, params),
      ],
    );
    return await Promise.all([main, ...others]);
  }

  #askMain(method: string, params: object): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#session.post(method, params, (error, result) => {
        if (error === null) resolve({ result: result as Answer['result'] & object });
        else reject(error);
      });
    });
  }

  #askWorker(sessionId: string, method: string, params: object): Promise<Answer> {
    const id = ++this.#calls;
    const message = JSON.stringify({ id, method, params });
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, (answer) => {
        if (answer.error === undefined) resolve(answer);
        else reject(new Error(answer.error.message));
      });
      this.#session.post('NodeWorker.sendMessageToWorker', { sessionId, message });
    });
  }
}

if (isMainThread) {
  const folder = new URL(import.meta.url).searchParams.get('folder');
  if (folder === null) throw new Error('a profiled process is told its folder');
  const profiler = new ThreadProfiler(folder);
  process.on('SIGUSR2', () => void profiler.toggle());
}
