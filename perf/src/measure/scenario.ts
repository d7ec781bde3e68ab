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
  /** Long, or outside the goals: runs only if asked for by name. */
  readonly isByNameOnly?: boolean;
  /** Pairs of measurements, where that is not the user's choice. */
  readonly rounds?: number;
  /** Starts both sides; or the sentence that says what is not built yet. */
  readonly open: ((context: Context) => Promise<Bench>) | string;
}

/** How long and how often to measure. */
export interface Context {
  readonly rounds: number;
  readonly settleMs: number;
  readonly measureMs: number;
  readonly isQuick: boolean;
  /** How long a soak goes on. */
  readonly minutes: number;
  /** Operations a second of a soak; 0: a share of what the server can do. */
  readonly rate: number;
  /** Tells the user what is going on. */
  progress(text: string): void;
}

/** Both sides, ready to be measured in turn. */
export interface Bench {
  measure(side: Side): Promise<Sample>;
  /** After the last round: second looks and side figures, as notes and faults. */
  finish?(): Promise<Finish>;
  close(): Promise<void>;
}

export interface Finish {
  readonly notes: readonly string[];
  readonly faults: readonly string[];
  /** Drawn with those of the last round. */
  readonly curves?: readonly Curve[];
}

export interface Sample {
  readonly value: number;
  /** What was seen beside the figure; shown once for the last round. */
  readonly notes: readonly string[];
  /** Operations or events that do not add up: the scenario fails. */
  readonly faults: readonly string[];
  readonly load?: LoadReport;
  /** What else to draw of the last round. */
  readonly curves?: readonly Curve[];
}

/** A figure over something: a plot of the report. */
export interface Curve {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Each x is drawn at its logarithm, with its value below. */
  readonly isLogarithmic?: boolean;
}

/** The other side is not installed; the message names the command that installs it. */
export class PeerMissingError extends Error {
  override name = 'PeerMissingError';
}
