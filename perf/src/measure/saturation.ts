import type { LoadClient } from '../load/load-client.js';
import { type LoadReport, runOf } from '../load/plan.js';
import { faultsOf } from './accounting.js';
import type { Context } from './scenario.js';
import type { Target } from './targets.js';

/** In flight in the goals' closed loop: 8 × 64. */
const IN_FLIGHT = 512;

/**
 * What a server can do at most with the goals' 512 operations in flight, on the connections that a
 * client has: acked operations a second.
 */
export async function saturationOf(
  target: Target,
  client: LoadClient,
  context: Context,
): Promise<number> {
  const load = await closedLoop(target, client, context);
  return load.acked / load.seconds;
}

async function closedLoop(
  target: Target,
  client: LoadClient,
  context: Context,
): Promise<LoadReport> {
  const { settleMs, measureMs } = context;
  const window = IN_FLIGHT / target.plan.connections;
  const seen = target.watch?.();
  const load = await client.run({ ...runOf(0), settleMs, measureMs, window });
  const faults = [...faultsOf(load, target.plan), ...((await seen?.())?.faults ?? [])];
  if (faults.length > 0) throw new Error(`finding the saturation: ${faults.join('; ')}`);
  return load;
}
