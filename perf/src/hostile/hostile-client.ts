import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { AttackReport, FromHostile, HostilePlan, ToHostile } from './hostile-plan.js';

const ENTRY: string = fileURLToPath(new URL('./hostile-process.js', import.meta.url));

/** The handle of a process that attacks a server in all ways at once. */
export class HostileClient {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async begin(plan: HostilePlan): Promise<HostileClient> {
    const client = new HostileClient(fork(ENTRY, { execArgv: ['--enable-source-maps'] }));
    await client.#ask({ type: 'begin', plan });
    return client;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Ends it, and its connections with it. */
  async end(): Promise<readonly AttackReport[]> {
    const answer = await this.#ask({ type: 'end' });
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
    return answer.type === 'reports' ? answer.reports : [];
  }

  async #ask(question: ToHostile): Promise<FromHostile> {
    this.#child.send(question);
    const ended = once(this.#child, 'exit').then(() => {
      throw new Error('the hostile process ended by itself');
    });
    ended.catch(() => {}); // it ends in the end
    const [answer] = (await Promise.race([once(this.#child, 'message'), ended])) as [FromHostile];
    return answer;
  }
}
