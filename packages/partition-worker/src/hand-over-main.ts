import type { WorkerMemory } from '@tidewire/core/threads';
import { HandOver } from './hand-over.js';

/** Thread entry: hands over what a given-up worker has changed, until it is told to stop. */
export default function run(task: { memory: WorkerMemory; doorbells: SharedArrayBuffer }): void {
  const handOver = new HandOver(task.memory, task.doorbells);
  while (!handOver.isStopping) if (handOver.doWork() === 0) handOver.sleep();
}
