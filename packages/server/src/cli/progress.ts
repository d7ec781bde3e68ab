import { Presets, SingleBar } from 'cli-progress';
import type { Io } from './io.js';

export interface Progress {
  update(bytes: number): void;
  /** Prints a line of its own. */
  note(line: string): void;
  stop(): void;
}

/** A bar on a terminal; elsewhere only the notes. */
export function openProgress(stream: Io['stderr'], bytes: number): Progress {
  const note = (line: string): void => {
    stream.write(`${line}\n`);
  };
  if (!stream.isTTY) return { update: () => {}, note, stop: () => {} };
  const format = 'loading {bar} {percentage} % | {eta_formatted} left';
  const bar = new SingleBar({ stream, format, clearOnComplete: true }, Presets.shades_classic);
  bar.start(bytes, 0);
  return {
    update: (done) => bar.update(done),
    note: (line) => note(`\r\u001b[K${line}`),
    stop: () => bar.stop(),
  };
}
