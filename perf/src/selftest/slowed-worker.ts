/** Entry of a slowed server's threads: burdens every operation, then runs the thread's own file. */
import { pathToFileURL } from 'node:url';

/** A busy loop of so many microseconds before each operation. */
const BURDEN_MICROS = 5;

type Execute = (this: unknown, ...rest: unknown[]) => void;

const { Executor } = (await import(
  new URL('../../../packages/partition-worker/dist/execute/executor.js', import.meta.url).href
)) as { Executor: { readonly prototype: { execute: Execute } } };

const { execute } = Executor.prototype;
Executor.prototype.execute = function (...rest): void {
  const end = performance.now() + BURDEN_MICROS / 1000;
  while (performance.now() < end);
  execute.apply(this, rest);
};

const file: string = process.argv[2];
await import(file.startsWith('file:') ? file : pathToFileURL(file).href);
