import { readFileSync } from 'node:fs';
import { type Config, ConfigError, helpText, readConfig } from './config.js';
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
    onFatal: (reason) => fail(reason, EXIT_FAILED),
  });
  let isStopping = false;
  const stop = async (): Promise<void> => {
    if (isStopping) process.exit(EXIT_FAILED); // the second signal
    isStopping = true;
    setTimeout(() => fail('stopping took too long.', EXIT_UNFLUSHED), STOP_MS_MAX).unref();
    const unflushed = await coordinator.stop();
    if (unflushed > 0) fail(`${unflushed} writes did not reach the database.`, EXIT_UNFLUSHED);
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop());
  process.on('SIGINT', () => void stop());
  try {
    const port = await coordinator.start();
    const database = config.databaseUrl === undefined ? 'embedded' : 'external';
    process.stdout.write(
      `tidewire ready ws://${config.host}:${port} pid=${process.pid} workers=${config.workers} database=${database}\n`,
    );
  } catch (error) {
    if (isStopping) return;
    await coordinator.stop().catch(() => {});
    fail((error as Error).message, EXIT_FAILED);
  }
}

await main();
