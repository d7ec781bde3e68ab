/** Entry of a load process: speaks with its parent by the messages of plan.ts. */
import { LoadGenerator } from './generator.js';
import type { FromLoad, RunPlan, ToLoad } from './plan.js';

let generator: LoadGenerator | undefined;

function tell(message: FromLoad): void {
  process.send?.(message);
}

function fail(message: string): void {
  process.send?.({ type: 'failed', message } satisfies FromLoad, () => process.exit(1));
}

async function run(plan: RunPlan): Promise<void> {
  if (generator === undefined) throw new Error('a run before the connections are open');
  tell({ type: 'report', report: await generator.run(plan) });
}

async function onMessage(message: ToLoad): Promise<void> {
  if (message.type === 'run') return run(message.run);
  generator = await LoadGenerator.open(message.plan, fail);
  tell({ type: 'opened' });
}

process.on('message', (message) => {
  onMessage(message as ToLoad).catch((error: Error) => fail(error.stack ?? error.message));
});
process.on('disconnect', () => process.exit(0));
