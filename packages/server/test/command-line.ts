import { Writable } from 'node:stream';
import { run } from '#lib/cli/run.js';

/** An output that keeps what is written and tells of each line. */
export class Captured extends Writable {
  bytes: Buffer = Buffer.alloc(0);
  isTTY = false;
  columns: number | undefined;
  #isStalled = false;
  #goOn = (): void => {};
  #waiting: { text: string; resolve: () => void }[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.bytes = Buffer.concat([this.bytes, chunk]);
    this.#waiting = this.#waiting.filter(({ text, resolve }) => {
      if (!this.text.includes(text)) return true;
      resolve();
      return false;
    });
    if (this.#isStalled) this.#goOn = done;
    else done();
  }

  /** Whatever reads this does not read on. */
  stall(): void {
    this.#isStalled = true;
  }

  /** It does again. */
  unstall(): void {
    this.#isStalled = false;
    this.#goOn();
  }

  get text(): string {
    return this.bytes.toString('utf8');
  }

  /** Resolves once `text` has been written. */
  said(text: string): Promise<void> {
    if (this.text.includes(text)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ text, resolve }));
  }
}

export interface CommandRun {
  readonly stdout: Captured;
  readonly stderr: Captured;
  readonly exit: Promise<number>;
  stop(): void;
}

/** Starts one command line within this process. With `columns` its output is such a terminal. */
export function start(
  args: readonly string[],
  env: Record<string, string> = {},
  { columns }: { columns?: number } = {},
): CommandRun {
  const stdout = new Captured();
  stdout.isTTY = columns !== undefined;
  stdout.columns = columns;
  const stderr = new Captured();
  let stop = (): void => {};
  const onStop = (action: () => void): void => {
    stop = action;
  };
  const exit = run(args, { stdout, stderr, env, onStop });
  return { stdout, stderr, exit, stop: () => stop() };
}

/** Runs one command line to its end. */
export async function ran(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ exit: number; out: string; error: string; bytes: Buffer }> {
  const { stdout, stderr, exit } = start(args, env);
  return { exit: await exit, out: stdout.text, error: stderr.text, bytes: stdout.bytes };
}
