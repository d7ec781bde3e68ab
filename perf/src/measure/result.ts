import type { Environment } from './environment.js';
import type { Sample, Scenario } from './scenario.js';
import { median, type Side } from './statistics.js';

export interface Round {
  readonly ours: number;
  readonly theirs: number;
  readonly ratio: number;
}

/** A measured scenario, in the shape that `--json` writes; scripts rely on it. */
export interface Result {
  readonly id: string;
  readonly title: string;
  /** Medians over the rounds; null where nothing was measured. */
  readonly ours: number | null;
  readonly theirs: number | null;
  readonly ratio: number | null;
  readonly unit: string;
  readonly rounds: readonly Round[];
  readonly bar: number;
  readonly goal: number;
  /** Null: not measured because a peer is not installed. */
  readonly pass: boolean | null;
  readonly notes: readonly string[];
  readonly environment: Environment;
}

/** Samples of both sides, in the order of the rounds. */
export type Samples = Readonly<Record<Side, readonly Sample[]>>;

/** Whether `ratio` is as good as `wanted`. */
function reaches(scenario: Scenario, ratio: number, wanted: number): boolean {
  return scenario.better === 'higher' ? ratio >= wanted : ratio <= wanted;
}

/** The ratio is the median of the rounds' ratios: both sides of a round saw the same machine. */
export function resultOf(
  scenario: Scenario,
  samples: Samples,
  finish: { notes: readonly string[]; faults: readonly string[] },
  environment: Environment,
): Result {
  const rounds = samples.ours.map((sample, index): Round => {
    const theirs = samples.theirs[index].value;
    return { ours: sample.value, theirs, ratio: sample.value / theirs };
  });
  const ratio = median(rounds.map((round) => round.ratio));
  const all = [...samples.ours, ...samples.theirs];
  const faults = [...new Set([...all.flatMap((sample) => sample.faults), ...finish.faults])];
  return {
    ...headOf(scenario, environment),
    ours: median(rounds.map((round) => round.ours)),
    theirs: median(rounds.map((round) => round.theirs)),
    ratio,
    rounds,
    pass: faults.length === 0 && reaches(scenario, ratio, scenario.bar),
    notes: [
      ...faults.map((fault) => `FAULT: ${fault}`),
      `${scenario.better} is better; ratios ${span(rounds.map((round) => round.ratio))}`,
      ...(samples.ours.at(-1)?.notes ?? []).map((note) => `ours: ${note}`),
      ...(samples.theirs.at(-1)?.notes ?? []).map((note) => `theirs: ${note}`),
      ...finish.notes,
    ],
  };
}

/** A scenario that was not measured: failed for want of a feature, skipped for want of a peer. */
export function unmeasured(
  scenario: Scenario,
  reason: string,
  pass: false | null,
  environment: Environment,
): Result {
  const head = headOf(scenario, environment);
  return { ...head, ours: null, theirs: null, ratio: null, rounds: [], pass, notes: [reason] };
}

type Head = Pick<Result, 'id' | 'title' | 'unit' | 'bar' | 'goal' | 'environment'>;

function headOf(scenario: Scenario, environment: Environment): Head {
  const { id, title, unit, bar, goal } = scenario;
  return { id, title, unit, bar, goal, environment };
}

function span(values: readonly number[]): string {
  return `${Math.min(...values).toFixed(2)}…${Math.max(...values).toFixed(2)}`;
}
