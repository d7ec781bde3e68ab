import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PeerMissingError } from '../measure/scenario.js';
import { stopChild, waitForLine } from './child-server.js';
import { freePort } from './free-port.js';

const run = promisify(execFile);
const START_MS = 10_000;
const STOP_MS = 5000;

/** What Redis keeps on disk: nothing, or a log that is synchronised before each answer. */
export type RedisLog = 'off' | 'always';

/** A Redis of our own. */
export class RedisServer {
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

  static async start(log: RedisLog = 'off'): Promise<RedisServer> {
    const port = await freePort();
    const folder = await mkdtemp(join(tmpdir(), 'tidewire-perf-redis-'));
    const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
    const isLogging = log === 'always';
    settings.push(
      '--save',
      '',
      '--appendonly',
      isLogging ? 'yes' : 'no',
      '--appendfsync',
      'always',
    );
    const child = spawn('redis-server', settings);
    try {
      await waitForLine(child, /Ready to accept connections/, START_MS);
    } catch (error) {
      await rm(folder, { recursive: true });
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new PeerMissingError('skipped: Redis is missing; apt-get install redis-server');
    }
    return new RedisServer(child, port, folder);
  }

  /** A number of `INFO`. */
  async info(field: string): Promise<number> {
    const text = await this.#ask('INFO memory\r\nINFO keyspace\r\nQUIT\r\n');
    const match = new RegExp(`${field}:(?:keys=)?(\\d+)`).exec(text);
    if (match === null) throw new Error(`Redis has no ${field}`);
    return Number(match[1]);
  }

  /** How often `command` was called since the start: Redis's own count. */
  async calls(command: string): Promise<number> {
    const text = await this.#ask('INFO commandstats\r\nQUIT\r\n');
    return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(text)?.[1] ?? 0);
  }

  async stop(): Promise<void> {
    await stopChild(this.#child, STOP_MS);
    await rm(this.#folder, { recursive: true, force: true });
  }

  /**
   * redis-benchmark's own figure, requests a second: a look at this Redis by somebody else's tool.
   */
  async benchmark(
    test: 'set' | 'get',
    options: { pipeline: number; clients: number },
  ): Promise<number> {
    const requests = options.pipeline > 1 ? 2_000_000 : 200_000;
    const words = ['-p', this.port, '-P', options.pipeline, '-c', options.clients, '-d', 100];
    words.push('-r', 100_000, '-n', requests, '-t', test, '--csv');
    const { stdout } = await run('redis-benchmark', words.map(String), { timeout: 60_000 });
    const row = stdout.trim().split('\n').at(-1)?.split(',') ?? [];
    return Number(row[1]?.replaceAll('"', ''));
  }

  async #ask(commands: string): Promise<string> {
    const socket = connect(this.port, '127.0.0.1', () => socket.write(commands));
    let text = '';
    for await (const bytes of socket) text += String(bytes);
    return text;
  }
}
