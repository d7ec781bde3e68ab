import type { LoadReport } from '../load/plan.js';
import type { Side } from './statistics.js';

/** One figure of the goals: what is measured, against what, and what is enough. */
export interface Scenario {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  /** Of the ratio ours ÷ theirs, or of our figure where `theirs` is nobody. */
  readonly bar: number;
  readonly goal: number;
  readonly better: 'higher' | 'lower';
  /** Starts both sides; or the sentence that says what is not built yet. */
  readonly open: ((context: Context) => Promise<Bench>) | string;
}

/** How long and how often to measure. */
export interface Context {
  readonly rounds: number;
  readonly settleMs: number;
  readonly measureMs: number;
  readonly isQuick: boolean;
  /** Tells the user what is going on. */
  progress(text: string): void;
}

/** Both sides, ready to be measured in turn. */
export interface Bench {
  measure(side: Side): Promise<Sample>;
  /** After the last round: second looks and side figures, as notes and faults. */
  finish?(): Promise<{ notes: string[]; faults: string[] }>;
  close(): Promise<void>;
}

export interface Sample {
  readonly value: number;
  /** What was seen beside the figure; shown once for the last round. */
  readonly notes: readonly string[];
  /** Operations or events that do not add up: the scenario fails. */
  readonly faults: readonly string[];
  readonly load?: LoadReport;
}

/** The other side is not installed; the message names the command that installs it. */
export class PeerMissingError extends Error {
  override name = 'PeerMissingError';
}
