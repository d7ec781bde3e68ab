import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PeerMissingError } from '../measure/scenario.js';
import { stopChild, waitForLine } from './child-server.js';
import { freePort } from './free-port.js';

const FOLDER: string = fileURLToPath(new URL('../../peers/deepstream/', import.meta.url));
const PROGRAM: string = join(
  FOLDER,
  'node_modules',
  '@deepstream',
  'server',
  'dist/bin/deepstream',
);
const INSTALL = 'npm install --prefix perf/peers/deepstream --ignore-scripts --no-package-lock';
const START_MS = 20_000;
const STOP_MS = 5000;

/** Its uWebSockets build, records in memory only, everybody may do everything. */
function settingsFor(port: number): object {
  const http = { host: '127.0.0.1', port, healthCheckPath: '/health-check', allowAllOrigins: true };
  const endpoint = { urlPath: '/', heartbeatInterval: 30_000, outgoingBufferTimeout: 0 };
  return {
    showLogo: false,
    telemetry: { type: 'deepstreamIO', options: { enabled: false } },
    httpServer: { type: 'uws', options: http },
    connectionEndpoints: [{ type: 'ws-binary', options: endpoint }],
    auth: [{ type: 'none' }],
    permission: { type: 'none' },
  };
}

/** deepstream.io in a process of its own. */
export class DeepstreamServer {
  readonly port: number;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, port: number, folder: string) {
    this.port = port;
    this.pid = child.pid ?? 0;
    this.#child = child;
    this.#folder = folder;
  }

  static async start(): Promise<DeepstreamServer> {
    if (!existsSync(PROGRAM))
      throw new PeerMissingError(`skipped: deepstream is missing; ${INSTALL}`);
    const port = await freePort();
    const folder = await mkdtemp(join(tmpdir(), 'tidewire-perf-deepstream-'));
    const file = join(folder, 'config.json');
    await writeFile(file, JSON.stringify(settingsFor(port)));
    const child = spawn(process.execPath, [PROGRAM, 'start', '--config', file]);
    const server = new DeepstreamServer(child, port, folder);
    try {
      await waitForLine(child, /Deepstream started/, START_MS);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  async stop(): Promise<void> {
    await stopChild(this.#child, STOP_MS);
    await rm(this.#folder, { recursive: true, force: true });
  }
}
