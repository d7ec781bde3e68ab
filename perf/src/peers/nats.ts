import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { STREAM } from '../load/nats-dialect.js';
import { MAP } from '../load/operation-template.js';
import { PeerMissingError } from '../measure/scenario.js';
import { stopChild, waitForLine } from './child-server.js';
import { freePort } from './free-port.js';

const START_MS = 10_000;
const STOP_MS = 5000;

/** What the client library asks for when a key-value bucket of one value a key is created. */
const BUCKET = {
  name: STREAM,
  subjects: [`$KV.${MAP}.>`],
  max_msgs_per_subject: 1,
  discard: 'new',
  allow_rollup_hdrs: true,
  deny_delete: true,
  allow_direct: true,
  num_replicas: 1,
  storage: 'file',
};

interface StreamState {
  readonly error?: { readonly description: string };
  readonly state?: { readonly messages: number; readonly last_seq: number };
}

/** A NATS server of our own with JetStream and one key-value bucket on files, the default. */
export class NatsServer {
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

  static async start(): Promise<NatsServer> {
    const port = await freePort();
    const folder = await mkdtemp(join(tmpdir(), 'tidewire-perf-nats-'));
    const words = ['--jetstream', '--store_dir', folder, '--addr', '127.0.0.1'];
    const child = spawn('nats-server', [...words, '--port', String(port)]);
    try {
      await waitForLine(child, /Server is ready/, START_MS);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new PeerMissingError('skipped: NATS is missing; apt-get install nats-server');
    }
    const server = new NatsServer(child, port, folder);
    await server.#ask(`STREAM.CREATE.${STREAM}`, JSON.stringify(BUCKET));
    return server;
  }

  /** Keys that the bucket holds. */
  async countKeys(): Promise<number> {
    return (await this.#ask(`STREAM.INFO.${STREAM}`, '')).state?.messages ?? 0;
  }

  /** Writes since the start. */
  async countWrites(): Promise<number> {
    return (await this.#ask(`STREAM.INFO.${STREAM}`, '')).state?.last_seq ?? 0;
  }

  async stop(): Promise<void> {
    await stopChild(this.#child, STOP_MS);
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** One request of the JetStream API on a connection of its own. */
  async #ask(subject: string, body: string): Promise<StreamState> {
    const request = `PUB $JS.API.${subject} _INBOX.ask ${body.length}\r\n${body}\r\n`;
    const socket = connect(this.port, '127.0.0.1', () =>
      socket.write(`CONNECT {"verbose":false}\r\nSUB _INBOX.ask 1\r\n${request}`),
    );
    let text = '';
    for await (const bytes of socket) {
      text += String(bytes);
      const match = /MSG _INBOX\.ask 1 (\d+)\r\n([^\r]*)\r\n/.exec(text);
      if (match === null) continue;
      const answer = JSON.parse(match[2]) as StreamState;
      if (answer.error !== undefined) throw new Error(`NATS: ${answer.error.description}`);
      return answer;
    }
    throw new Error('NATS did not answer');
  }
}
