import type { WorkerMemory } from '@tidewire/core/threads';
import { Worker } from './worker.js';

/** Thread entry: runs a worker until it is told to stop. */
export default function run(task: {
  memory: WorkerMemory;
  doorbells: SharedArrayBuffer;
  start: number;
}): void {
  const worker = new Worker(task.memory, task.doorbells, task.start);
  while (!worker.isStopping) if (worker.doWork() === 0) worker.sleep();
}
