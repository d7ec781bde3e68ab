import { execFile } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { promisify } from 'node:util';
import { cpuBetween, cpuSecondsOf, readThreads } from './process-cpu.js';

const run = promisify(execFile);

/** What somebody else says of a figure of ours. */
export interface Look {
  readonly note: string;
  readonly faults: readonly string[];
}

/** Two looks at one thing should agree within this. */
const AGREEMENT = 0.1;

/** How far `other` is from `own`, in words. */
export function agreementOf(own: number, other: number): { isClose: boolean; words: string } {
  const away = Math.abs(other - own) / own;
  const isClose = away <= AGREEMENT;
  return { isClose, words: isClose ? 'within 10 %' : `${Math.round(100 * away)} % away` };
}

/** A count that must agree with ours: `name` says whose it is. */
export function lookAtCount(name: string, counted: number, own: number): Look {
  const { isClose, words } = agreementOf(own, counted);
  const note = `${name}: ${counted}, own generator ${own} (${words})`;
  return { note, faults: isClose ? [] : [note] };
}

/** CPU of a process over the same `seconds` by pidstat and by our reading of its threads. */
export async function lookAtCpu(pid: number, seconds: number): Promise<Look> {
  const before = readThreads([pid]);
  const startedAt = performance.now();
  const theirs = await pidstatPercent(pid, seconds);
  const elapsed = (performance.now() - startedAt) / 1000;
  const own = (100 * cpuSecondsOf(cpuBetween(before, readThreads([pid])), pid)) / elapsed;
  if (theirs === undefined)
    return { note: 'pidstat is missing; apt-get install sysstat', faults: [] };
  const { words } = agreementOf(own, theirs);
  const figures = `${theirs.toFixed(1)} %, own reading ${own.toFixed(1)} %`;
  return { note: `server CPU by pidstat: ${figures} (${words})`, faults: [] };
}

async function pidstatPercent(pid: number, seconds: number): Promise<number | undefined> {
  const words = ['-u', '-h', '-p', String(pid), String(seconds), '1'];
  try {
    const { stdout } = await run('pidstat', words, { env: { ...process.env, LC_ALL: 'C' } });
    const lines = stdout.trim().split('\n');
    const head = lines.find((line) => line.startsWith('#'))?.split(/\s+/) ?? [];
    // the head's first column is the `#`, which the rows do not have
    const column = head.indexOf('%CPU') - (head[0] === '#' ? 1 : 0);
    return Number(lines.at(-1)?.trim().split(/\s+/)[column]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
