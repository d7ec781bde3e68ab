import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const TIDEWIRE = fileURLToPath(new URL('../dist/cli/tidewire.js', import.meta.url));

export interface ProgramEnd {
  readonly exit: number | null;
  readonly out: Buffer;
  readonly error: string;
}

export interface Program {
  readonly end: Promise<ProgramEnd>;
  /** Resolves once it has written `text` to either output; rejects if it ends before. */
  said(text: string): Promise<void>;
  interrupt(): void;
}

/** Starts the command line as a process of its own. */
export function startProgram(...args: string[]): Program {
  const child = spawn(process.execPath, ['--enable-source-maps', TIDEWIRE, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] },
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const out: Buffer[] = [];
  const error: Buffer[] = [];
  let onText = (): void => {};
  child.stdout.on('data', (chunk: Buffer) => {
    out.push(chunk);
    onText();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    error.push(chunk);
    onText();
  });
  const end = new Promise<ProgramEnd>((resolve) =>
    child.once('close', (exit) => {
      process.off('exit', kill);
      resolve({ exit, out: Buffer.concat(out), error: Buffer.concat(error).toString() });
    }),
  );
  const said = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      onText = () => {
        if (Buffer.concat([...out, ...error]).includes(text)) resolve();
      };
      onText();
      void end.then(({ error }) => reject(new Error(`it ended without "${text}": ${error}`)));
    });
  return { end, said, interrupt: () => void child.kill('SIGINT') };
}

/** Runs the command line to its end. */
export function runProgram(...args: string[]): Promise<ProgramEnd> {
  return startProgram(...args).end;
}
