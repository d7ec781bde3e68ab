import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import type { Test } from 'tap';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const READY = /tidewire ready (wss?:\/\/\S+) pid=(\d+) .*admin=(http:\S+)/;
/** Whoever runs the tests may choose the transport. */
const TRANSPORT: Readonly<Record<string, string>> = process.env['TIDEWIRE_TRANSPORT']
  ? { TIDEWIRE_TRANSPORT: process.env['TIDEWIRE_TRANSPORT'] }
  : {};
/** Environment of a server that obeys `killPersistence`. */
export const MORTAL: Readonly<Record<string, string>> = {
  NODE_OPTIONS: `--import ${new URL('./thread-killer.js', import.meta.url)}`,
};
const START_MS_MAX = 60_000;
const POLL_MS = 10;
const PID_FILE = 'postgres/cluster/postmaster.pid';

/** What a server process has come to. */
export interface ServerEnd {
  readonly code: number | null;
  readonly signal: string | null;
  /** Its log lines left out. */
  readonly sentence: string;
}

export interface ServerOptions {
  /** Flags beside those of the fixture. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Another server's folder; without it a folder of its own. */
  readonly dataDir?: string;
}

/** What `/info` tells. */
export interface Info {
  readonly records: number;
  readonly dirty: number;
  readonly connections: number;
  readonly workers: number;
  /** Subscribers that read too slowly now. */
  readonly lagging: number;
  readonly database: string;
  /** Why the database is down. */
  readonly outage?: string;
  readonly epoch: number;
}

/**
 * A server as a child process on a temporary folder. It, its database and its folder are gone
 * when the test ends.
 */
export class RunningServer {
  readonly dataDir: string;
  url = '';
  /** Its port for operators. */
  admin = '';
  /** What it has written to standard error since the first start. */
  log = '';
  #child: ChildProcess;
  #end: Promise<ServerEnd>;
  readonly #options: ServerOptions;
  #sql: postgres.Sql | undefined;

  private constructor(dataDir: string, options: ServerOptions) {
    this.dataDir = dataDir;
    this.#options = options;
    this.#child = this.#spawn();
    this.#end = endOf(this.#child);
  }

  /** Resolves once it is ready; rejects with its sentence if it ends before. */
  static async start(t: Pick<Test, 'teardown'>, options: ServerOptions = {}) {
    const server = await RunningServer.launch(t, options);
    await server.#ready();
    return server;
  }

  /** As `start`, without waiting. */
  static async launch(
    t: Pick<Test, 'teardown'>,
    options: ServerOptions = {},
  ): Promise<RunningServer> {
    const dataDir = options.dataDir ?? (await makeFolder());
    const server = new RunningServer(dataDir, options);
    t.teardown(() => server.#destroy());
    return server;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Settles when the process has ended. */
  get end(): Promise<ServerEnd> {
    return this.#end;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<ServerEnd> {
    this.signal(signal);
    return await this.#end;
  }

  /**
   * Starts again on the same folder, perhaps with other flags beside those of the fixture; the process
   * before must have ended or is killed now.
   */
  async restart(args = this.#options.args): Promise<void> {
    await this.#leaveDatabase();
    await this.stop('SIGKILL');
    this.#child = this.#spawn(args);
    this.#end = endOf(this.#child);
    await this.#ready();
  }

  async info(): Promise<Info> {
    return (await (await fetch(`${this.admin}/info`)).json()) as Info;
  }

  /** Resolves once `/info` is as wanted; a worker reports its numbers a little after its answers. */
  async until(isWanted: (info: Info) => boolean): Promise<void> {
    while (!isWanted(await this.info())) await delay(POLL_MS);
  }

  /** Resolves once a line of its log is like this. */
  async logs(line: RegExp): Promise<void> {
    while (!this.log.split('\n').some((text) => line.test(text))) await delay(POLL_MS);
  }

  /** A client of the embedded database, ended with the server. */
  async sql(): Promise<postgres.Sql> {
    this.#sql ??= postgres({ ...(await this.#location()), max: 1, onnotice: () => {} });
    return this.#sql;
  }

  /** Ends its persistence thread, wherever it is. Only a server with the environment MORTAL obeys. */
  killPersistence(): void {
    this.signal('SIGUSR2');
  }

  /** Ends the embedded database as by a power cut. */
  async killDatabase(): Promise<void> {
    await this.#leaveDatabase();
    const [pid] = await this.#postmaster();
    await endProcess(Number(pid));
  }

  /** Ends the embedded database and its means to be started again. */
  async destroyDatabase(): Promise<void> {
    const [, cluster] = await this.#postmaster();
    await this.#leaveDatabase();
    await rename(cluster, `${cluster}-away`);
    const text = await readFile(join(`${cluster}-away`, 'postmaster.pid'), 'utf8');
    await endProcess(Number.parseInt(text, 10));
  }

  #spawn(args: readonly string[] = this.#options.args ?? []): ChildProcess {
    const { env = {} } = this.#options;
    const flags = [
      '--port',
      '0',
      '--admin-port',
      '0',
      '--data-dir',
      this.dataDir,
      '--memory',
      '256M',
      ...args,
    ];
    const child = spawn(process.execPath, ['--enable-source-maps', MAIN, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], LOG_LEVEL: 'error', ...TRANSPORT, ...env },
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
    });
    const kill = (): void => {
      child.kill('SIGKILL');
      quitDatabase(this.dataDir);
    };
    process.once('exit', kill);
    child.once('exit', () => process.off('exit', kill));
    return child;
  }

  async #ready(): Promise<void> {
    const child = this.#child;
    const late = setTimeout(() => child.kill('SIGKILL'), START_MS_MAX);
    const isReady = new Promise<boolean>((resolve) => {
      let text = '';
      child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        const match = READY.exec(text);
        if (match === null) return;
        this.url = match[1];
        this.admin = match[3];
        resolve(true);
      });
      void this.#end.then(() => resolve(false));
    });
    const ready = await isReady;
    clearTimeout(late);
    if (!ready) throw new Error(`the server ended: ${(await this.#end).sentence}`);
  }

  async #destroy(): Promise<void> {
    await this.#leaveDatabase();
    await this.stop('SIGKILL');
    if (this.#options.dataDir !== undefined) return;
    const [pid, , , , socketDir] = await this.#postmaster();
    if (pid !== undefined) {
      await endProcess(Number(pid));
      if (basename(socketDir).startsWith('tidewire-pg-'))
        await rm(socketDir, { recursive: true, force: true });
    }
    await rm(this.dataDir, { recursive: true, force: true });
  }

  async #leaveDatabase(): Promise<void> {
    await this.#sql?.end({ timeout: 0 });
    this.#sql = undefined;
  }

  async #location(): Promise<{ host: string; port: number; user: string; database: string }> {
    const [, , , port, host] = await this.#postmaster();
    return { host, port: Number(port), user: 'tidewire', database: 'postgres' };
  }

  /** The lines of the embedded database's `postmaster.pid`; none if it does not run. */
  async #postmaster(): Promise<string[]> {
    const path = join(this.dataDir, PID_FILE);
    const text = await readFile(path, 'utf8').catch(() => '');
    return text === '' ? [] : text.split('\n');
  }
}

/** The account of root's database must be able to enter. */
export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidewire-test-'));
  await chmod(folder, 0o755);
  return folder;
}

async function endOf(child: ChildProcess): Promise<ServerEnd> {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  const isLog = (line: string): boolean => line === '' || line.startsWith('{');
  const sentence = text
    .split('\n')
    .filter((line) => !isLog(line))
    .join('\n');
  return { code, signal, sentence };
}

/** For a test that ends without its teardown. */
function quitDatabase(dataDir: string): void {
  try {
    const text = readFileSync(join(dataDir, PID_FILE), 'utf8');
    process.kill(Number.parseInt(text, 10), 'SIGQUIT');
  } catch {
    // none has been started, or it has ended
  }
}

/** Kills a database and waits until it and the processes that serve connections are gone. */
async function endProcess(pid: number): Promise<void> {
  try {
    process.kill(pid, 'SIGQUIT');
    for (;;) {
      await delay(POLL_MS);
      process.kill(pid, 0);
    }
  } catch {
    // there is no such process any more
  }
}
