import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { residentBytesOf } from './process-cpu.js';

const PRELOAD: string = new URL('./collected-process.js', import.meta.url).href;
const PATIENCE_MS = 30_000;

/** Reads what a process holds: its memory once it has collected its garbage. */
export class CollectedMemory {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(): Promise<CollectedMemory> {
    return new CollectedMemory(await mkdtemp(join(tmpdir(), 'tidewire-perf-memory-')));
  }

  /** What the process is to run first. */
  get preload(): URL {
    const preload = new URL(PRELOAD);
    preload.searchParams.set('file', this.#file);
    return preload;
  }

  /** Resident memory in bytes of a process with the preload. */
  async read(pid: number): Promise<number> {
    process.kill(pid, 'SIGUSR2');
    const deadline = Date.now() + PATIENCE_MS;
    while (!existsSync(this.#file)) {
      if (Date.now() > deadline) throw new Error('the process did not collect its garbage');
      await sleep(50);
    }
    await rm(this.#file);
    return residentBytesOf(pid);
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  get #file(): string {
    return join(this.#folder, 'collected');
  }
}
