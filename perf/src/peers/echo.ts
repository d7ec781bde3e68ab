import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { stopChild, waitForLine } from './child-server.js';

const ENTRY: string = fileURLToPath(new URL('./echo-server.js', import.meta.url));
const START_MS = 10_000;
const STOP_MS = 5000;

/** Raw uWebSockets.js in a process of its own: what any gateway built on it can reach at most. */
export class EchoServer {
  readonly port: number;
  readonly pid: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
    this.pid = child.pid ?? 0;
  }

  /** `preload`: a module that its process runs first. */
  static async start(preload?: URL): Promise<EchoServer> {
    const first = preload === undefined ? [] : ['--import', preload.href];
    const child = spawn(process.execPath, [...first, ENTRY]);
    const [, port] = await waitForLine(child, /echo ready (\d+)/, START_MS);
    return new EchoServer(child, Number(port));
  }

  async stop(): Promise<void> {
    await stopChild(this.#child, STOP_MS);
  }
}
