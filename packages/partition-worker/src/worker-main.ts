import type { WorkerMemory } from '@tidewire/core/threads';
import { loadProcessors } from './execute/processor.js';
import { Worker } from './worker.js';

/** Thread entry: runs a worker until it is told to stop. */
export default async function run(task: {
  memory: WorkerMemory;
  doorbells: SharedArrayBuffer;
  start: number;
  /** URL of the module with the processors. */
  processors: string | undefined;
}): Promise<void> {
  const processors = task.processors === undefined ? [] : await loadProcessors(task.processors);
  const worker = new Worker(task.memory, task.doorbells, task.start, processors);
  while (!worker.isStopping) if (worker.doWork() === 0) worker.sleep();
}
