import { readFileSync } from 'node:fs';
import { type Config, helpText, readConfig } from './config.js';
import { ConfigError } from './config-error.js';
import { Coordinator } from './coordinator.js';
import { createLog } from './log.js';

const EXIT_FAILED = 1;
const EXIT_WRONG_USE = 2;
const EXIT_UNFLUSHED = 3;
const STOP_MS_MAX = 20_000;

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function fail(reason: string, code: number): never {
  process.stderr.write(`tidewire: ${reason}\n`);
  process.exit(code);
}

function configOrExit(): Config {
  try {
    const config = readConfig(process.argv.slice(2), process.env);
    if (config !== undefined) return config;
  } catch (error) {
    if (error instanceof ConfigError) fail(error.message, EXIT_WRONG_USE);
    throw error;
  }
  process.stdout.write(`${helpText()}\n`);
  process.exit(0);
}

async function main(): Promise<void> {
  const config = configOrExit();
  const coordinator = new Coordinator({
    config,
    log: createLog(config.logLevel),
    version: version(),
    onFatal: (reason) => void stop(reason),
  });
  let isStopping = false;
  const stop = async (failure?: string): Promise<void> => {
    if (isStopping) return;
    isStopping = true;
    const code = failure === undefined ? EXIT_UNFLUSHED : EXIT_FAILED;
    setTimeout(() => fail(failure ?? 'stopping took too long.', code), STOP_MS_MAX).unref();
    const unflushed = await coordinator.stop().catch((error: Error) => {
      fail(failure ?? error.message, code);
    });
    if (failure !== undefined) fail(failure, code);
    if (unflushed === undefined) fail('writes may not have reached the database.', code);
    if (unflushed > 0) fail(`${unflushed} writes did not reach the database.`, code);
    process.exit(0);
  };
  const onSignal = (): void => {
    if (isStopping) process.exit(EXIT_FAILED); // the second signal
    void stop();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  process.on('SIGHUP', () => void coordinator.reload()); // unheard it would end the process, without a flush
  try {
    const { port, adminPort } = await coordinator.start();
    const database = config.databaseUrl === undefined ? 'embedded' : 'external';
    const scheme = config.tls === undefined ? 'ws' : 'wss';
    process.stdout.write(
      `tidewire ready ${scheme}://${config.host}:${port} pid=${process.pid} workers=${config.workers} database=${database} admin=http://${config.adminHost}:${adminPort}\n`,
    );
  } catch (error) {
    await stop((error as Error).message);
  }
}

await main();
