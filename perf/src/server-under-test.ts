import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stopChild, waitForLine } from './peers/child-server.js';
import { freePort } from './peers/free-port.js';

const ENTRY: string = fileURLToPath(new URL('../../packages/server/dist/main.js', import.meta.url));
const READY = /tidewire ready ws:\/\/127\.0\.0\.1:(\d+)/;
const START_MS = 60_000;
const STOP_MS = 30_000;

/** Tidewire as a user starts it: its own process, its own database, a data folder of its own. */
export class TidewireServer {
  readonly port: number;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, port: number, folder: string) {
    this.#child = child;
    this.port = port;
    this.pid = child.pid ?? 0;
    this.#folder = folder;
  }

  /** `flags`: as for `start`, beside the port and the data folder. */
  static async start(flags: readonly string[] = []): Promise<TidewireServer> {
    const port = await freePort();
    const folder = await mkdtemp(join(tmpdir(), 'tidewire-perf-'));
    await chmod(folder, 0o711); // the database's account must pass through
    const words = [ENTRY, '--port', String(port), '--data-dir', join(folder, 'data'), ...flags];
    const child = spawn(process.execPath, words);
    try {
      await waitForLine(child, READY, START_MS);
    } catch (error) {
      await stopChild(child, STOP_MS);
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
    return new TidewireServer(child, port, folder);
  }

  /** Stops it as an operator would. Throws if it did not flush everything. */
  async stop(): Promise<void> {
    const code = await stopChild(this.#child, STOP_MS);
    await rm(this.#folder, { recursive: true, force: true });
    if (code !== 0) throw new Error(`the server ended with ${code}`);
  }
}
