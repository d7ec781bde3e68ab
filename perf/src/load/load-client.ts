import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromLoad, LoadPlan, LoadReport, RunPlan, ToLoad } from './plan.js';

const ENTRY: string = fileURLToPath(new URL('./load-process.js', import.meta.url));
/** Beyond a run's own length. */
const PATIENCE_MS = 120_000;

/** The handle of a load process of its own, with its connections open. */
export class LoadClient {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** `preload`: a module that the load process runs first, to make it cheat. */
  static async open(plan: LoadPlan, preload?: URL): Promise<LoadClient> {
    const execArgv = ['--enable-source-maps'];
    if (preload !== undefined) execArgv.push('--import', preload.href);
    const child = fork(ENTRY, { execArgv, serialization: 'advanced' });
    const client = new LoadClient(child);
    try {
      await client.#ask({ type: 'open', plan }, PATIENCE_MS);
    } catch (error) {
      await client.close();
      throw error;
    }
    return client;
  }

  /** Throws if the load process cannot go on, with the reason. */
  async run(run: RunPlan): Promise<LoadReport> {
    const answer = await this.#ask(
      { type: 'run', run },
      run.settleMs + run.measureMs + PATIENCE_MS,
    );
    if (answer.type !== 'report') throw new Error(`the load process answered ${answer.type}`);
    return answer.report;
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }

  #ask(question: ToLoad, patienceMs: number): Promise<FromLoad> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => end(new Error('the load process does not answer')),
        patienceMs,
      );
      const onMessage = (answer: FromLoad): void =>
        end(answer.type === 'failed' ? new Error(`load: ${answer.message}`) : undefined, answer);
      const onExit = (code: number | null): void =>
        end(new Error(`the load process ended with ${code}`));
      const end = (error: Error | undefined, answer?: FromLoad): void => {
        clearTimeout(timer);
        child.off('message', onMessage);
        child.off('exit', onExit);
        if (answer !== undefined && error === undefined) resolve(answer);
        else reject(error);
      };
      child.on('message', onMessage);
      child.on('exit', onExit);
      child.send(question);
    });
  }
}
