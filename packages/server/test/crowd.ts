import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('./crowd-main.js', import.meta.url));

/** The clients of one child process. */
export class Crowd {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  #text = '';
  #onText = (): void => {};

  constructor(url: string, first: number, count: number) {
    const args = ['--enable-source-maps', MAIN, url, String(first), String(count)];
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      this.#text += chunk;
      this.#onText();
    });
  }

  ask(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  said(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onText = () => {
        if (this.#text.includes(text)) resolve();
      };
      this.#onText();
      this.#child.once('exit', (code) => {
        if (!this.#text.includes(text)) reject(new Error(`ended with ${code}: ${this.#text}`));
      });
    });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
