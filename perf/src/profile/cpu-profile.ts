import { basename } from 'node:path';

/** A `.cpuprofile` as V8's sampler gives it. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: CallFrame;
    readonly children?: readonly number[];
  }[];
  /** Node ids, one a sample. */
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

/** A function and what it called, with microseconds. */
export interface Frame {
  readonly name: string;
  /** Name of its file; empty: native. */
  readonly file: string;
  readonly selfMicros: number;
  readonly totalMicros: number;
  readonly children: readonly Frame[];
}

/** One function's own time, wherever it was called from. */
export interface Cost {
  readonly name: string;
  readonly micros: number;
}

/** In these a thread waits: V8's idle, and `Atomics.wait`, alone or inlined into the doorbell. */
const WAITING: ReadonlySet<string> = new Set(['(idle)', 'wait', 'sleep (doorbell.js)']);

/** The profiler's own file: what it does at the start of a profile is no cost of the server. */
const PROFILER = 'profiled-process.js';

/** The profile as a tree, without the time that the thread waited. */
export function framesOf(profile: CpuProfile): { root: Frame; waitingMicros: number } {
  const self = new Map<number, number>();
  profile.samples.forEach((id, index) => {
    self.set(id, (self.get(id) ?? 0) + Math.max(0, profile.timeDeltas[index]));
  });
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  let waitingMicros = 0;
  const frameOf = (id: number): Frame => {
    const node = nodes.get(id);
    const { functionName, url, lineNumber } = node?.callFrame ?? NOWHERE;
    const name = functionName === '' ? `(anonymous ${lineNumber + 1})` : functionName;
    const file = basename(url);
    const isWaiting = WAITING.has(labelOf({ name, file }));
    const own = self.get(id) ?? 0;
    if (isWaiting) waitingMicros += own;
    const selfMicros = isWaiting ? 0 : own;
    const called = (node?.children ?? []).map(frameOf);
    const children = merged(called.filter((child) => child.file !== PROFILER));
    const totalMicros = children.reduce((sum, child) => sum + child.totalMicros, selfMicros);
    return { name, file, selfMicros, totalMicros, children };
  };
  return { root: frameOf(profile.nodes[0].id), waitingMicros };
}

const NOWHERE: CallFrame = { functionName: '', url: '', lineNumber: 0 };

/** Functions by their own time, the largest first. */
export function costsOf(root: Frame): Cost[] {
  const costs = new Map<string, number>();
  const visit = (frame: Frame): void => {
    const name = labelOf(frame);
    costs.set(name, (costs.get(name) ?? 0) + frame.selfMicros);
    frame.children.forEach(visit);
  };
  visit(root);
  return [...costs]
    .map(([name, micros]) => ({ name, micros }))
    .sort((left, right) => right.micros - left.micros);
}

export function labelOf(frame: Pick<Frame, 'name' | 'file'>): string {
  return frame.file === '' ? frame.name : `${frame.name} (${frame.file})`;
}

/** Frames without time are left out; the same function called from the same place is one. */
function merged(frames: readonly Frame[]): Frame[] {
  const byLabel = new Map<string, Frame>();
  for (const frame of frames) {
    if (frame.totalMicros === 0) continue;
    const same = byLabel.get(labelOf(frame));
    byLabel.set(labelOf(frame), same === undefined ? frame : sumOf(same, frame));
  }
  return [...byLabel.values()];
}

function sumOf(left: Frame, right: Frame): Frame {
  return {
    ...left,
    selfMicros: left.selfMicros + right.selfMicros,
    totalMicros: left.totalMicros + right.totalMicros,
    children: merged([...left.children, ...right.children]),
  };
}
