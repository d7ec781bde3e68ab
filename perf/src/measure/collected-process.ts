/**
 * Preload of a process whose memory is to be read: on SIGUSR2 all its threads collect their garbage,
 * then the file named behind `?file=` is written.
 */
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';
import { ThreadInspector } from './thread-inspector.js';

/** A thread that sleeps without a word for longer has done nothing, and has nothing to collect. */
const SLEEPER_MS = 2000;

async function collect(connected: Promise<ThreadInspector>, file: string): Promise<void> {
  const threads = await connected;
  await Promise.race([threads.askAll('HeapProfiler.collectGarbage'), sleep(SLEEPER_MS)]);
  writeFileSync(file, '');
}

async function connect(): Promise<ThreadInspector> {
  const threads = new ThreadInspector();
  await threads.connect();
  return threads;
}

if (isMainThread) {
  const file = new URL(import.meta.url).searchParams.get('file');
  if (file === null) throw new Error('a collected process is told its file');
  let connected: Promise<ThreadInspector> | undefined;
  process.on('SIGUSR2', () => {
    connected ??= connect(); // once all threads have started
    void collect(connected, file);
  });
}
