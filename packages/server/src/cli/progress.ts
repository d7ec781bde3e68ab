import { Presets, SingleBar } from 'cli-progress';
import type { Io } from './io.js';

export interface Progress {
  update(done: number): void;
  /** Prints a line of its own. */
  note(line: string): void;
  stop(): void;
}

/** A bar on a terminal; elsewhere only the notes. `verb`: what is being done. */
export function openProgress(
  stream: Io['stderr'],
  { total, verb }: { readonly total: number; readonly verb: string },
): Progress {
  const note = (line: string): void => {
    stream.write(`${line}\n`);
  };
  if (!stream.isTTY) return { update: () => {}, note, stop: () => {} };
  const format = `${verb} {bar} {percentage} % | {eta_formatted} left`;
  const bar = new SingleBar({ stream, format, clearOnComplete: true }, Presets.shades_classic);
  bar.start(total, 0);
  return {
    update: (done) => bar.update(done),
    note: (line) => note(`\r\u001b[K${line}`),
    stop: () => bar.stop(),
  };
}
