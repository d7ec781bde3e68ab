import { readdirSync, readFileSync } from 'node:fs';
import type { ThreadCpu } from '../load/plan.js';

/** Ticks of /proc's CPU times; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
// Fields of /proc/<pid>/stat behind the name in parentheses, counted from 0.
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;

/** CPU seconds since their start of all threads of `pids` and of processes they have started. */
export function readThreads(pids: readonly number[]): ThreadCpu[] {
  return pids.flatMap((pid) => [pid, ...descendantsOf(pid)]).flatMap(threadsOf);
}

/** What each thread used between two readings. */
export function cpuBetween(before: readonly ThreadCpu[], after: readonly ThreadCpu[]): ThreadCpu[] {
  const old = new Map(before.map((thread) => [thread.thread, thread.seconds]));
  return after.map((thread) => ({
    ...thread,
    seconds: thread.seconds - (old.get(thread.thread) ?? 0),
  }));
}

export function cpuSecondsOf(threads: readonly ThreadCpu[], process: number): number {
  return threads
    .filter((thread) => thread.process === process)
    .reduce((sum, thread) => sum + thread.seconds, 0);
}

/**
 * One line: CPU share of each thread that did more than 1 %, the main thread by name, the others by
 * thread id; processes started by `process` (the database's) as one sum.
 */
export function describeCpu(
  threads: readonly ThreadCpu[],
  process: number,
  seconds: number,
): string {
  const percent = (cpu: number): string => `${Math.round((100 * cpu) / seconds)} %`;
  const own = threads.filter((thread) => thread.process === process);
  const busy = own
    .filter((thread) => thread.seconds > seconds / 100)
    .sort((left, right) => right.seconds - left.seconds)
    .map((thread) => {
      const label =
        thread.thread === process ? 'main' : `${thread.name}+${thread.thread - process}`;
      return `${label} ${percent(thread.seconds)}`;
    });
  const others = threads
    .filter((thread) => thread.process !== process)
    .reduce((sum, thread) => sum + thread.seconds, 0);
  return [...busy, ...(others > 0 ? [`child processes ${percent(others)}`] : [])].join(', ');
}

function threadsOf(pid: number): ThreadCpu[] {
  return namesIn(`/proc/${pid}/task`).flatMap((thread) => {
    const stat = readOrEmpty(`/proc/${pid}/task/${thread}/stat`);
    const nameEnd = stat.lastIndexOf(')');
    if (nameEnd < 0) return []; // ended in between
    const fields = stat.slice(nameEnd + 2).split(' ');
    const ticks = Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS]);
    const name = stat.slice(stat.indexOf('(') + 1, nameEnd);
    return [{ process: pid, thread: Number(thread), name, seconds: ticks / TICKS_PER_SECOND }];
  });
}

/** Resident memory of one process, in bytes. */
export function residentBytesOf(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readOrEmpty(`/proc/${pid}/status`));
  if (line === null) throw new Error(`process ${pid} has ended, or this system has no /proc`);
  return Number(line[1]) * 1024;
}

/** Processes that `pid` has started, and those that they have. */
export function descendantsOf(pid: number): number[] {
  const children = namesIn(`/proc/${pid}/task`).flatMap((thread) =>
    readOrEmpty(`/proc/${pid}/task/${thread}/children`)
      .split(' ')
      .filter((text) => text !== '')
      .map(Number),
  );
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // ended in between, or no /proc on this system
  }
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
