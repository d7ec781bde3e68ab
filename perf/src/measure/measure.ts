import type { Environment } from './environment.js';
import { type Result, resultOf, type Samples, unmeasured } from './result.js';
import {
  type Bench,
  type Context,
  type Finish,
  PeerMissingError,
  type Sample,
  type Scenario,
} from './scenario.js';
import { interleaved } from './statistics.js';

export interface Measurement {
  readonly result: Result;
  readonly samples: Samples;
}

/** Runs one scenario: both sides up, warmed once each, then measured in turn. */
export async function measure(
  scenario: Scenario,
  context: Context,
  environment: Environment,
): Promise<Measurement> {
  const nothing: Samples = { ours: [], theirs: [] };
  if (typeof scenario.open === 'string') {
    const reason = `${scenario.id} needs ${scenario.open}`;
    return { result: unmeasured(scenario, reason, false, environment), samples: nothing };
  }
  try {
    context.progress('starting both sides');
    const bench = await scenario.open(context);
    return await measureBench(scenario, bench, context, environment);
  } catch (error) {
    const { message } = error as Error;
    const pass = error instanceof PeerMissingError ? null : false; // skipped, or failed
    return { result: unmeasured(scenario, message, pass, environment), samples: nothing };
  }
}

async function measureBench(
  scenario: Scenario,
  bench: Bench,
  context: Context,
  environment: Environment,
): Promise<Measurement> {
  try {
    const samples = { ours: [] as Sample[], theirs: [] as Sample[] };
    const rounds = scenario.rounds ?? context.rounds;
    for (const side of interleaved(rounds)) {
      const round = samples[side].length + 1;
      context.progress(`round ${round} of ${rounds}: ${side}`);
      samples[side].push(await bench.measure(side));
    }
    context.progress('second looks');
    const finish: Finish = (await bench.finish?.()) ?? { notes: [], faults: [] };
    const last = samples.ours[samples.ours.length - 1];
    const curves = [...(last.curves ?? []), ...(finish.curves ?? [])];
    samples.ours[samples.ours.length - 1] = { ...last, curves };
    return { result: resultOf(scenario, samples, finish, environment), samples };
  } finally {
    await bench.close();
  }
}
