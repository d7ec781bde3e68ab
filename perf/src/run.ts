/** Entry of `pnpm perf`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readEnvironment } from './measure/environment.js';
import { type Measurement, measure } from './measure/measure.js';
import type { Context } from './measure/scenario.js';
import { runMicro } from './micro/micro.js';
import { helpText, type Options, readOptions, UsageError } from './options.js';
import { profileServer } from './profile/profile.js';
import { appendHistory, historyEntry, readHistory } from './report/history.js';
import { historyPage } from './report/history-page.js';
import { reportPage } from './report/html.js';
import { Progress } from './report/progress.js';
import { tableOf } from './report/table.js';
import { SCENARIOS } from './scenarios/catalogue.js';
import { runSelfTest } from './selftest/self-test.js';

/** Where `history` writes its page unless told otherwise. */
const HISTORY_FOLDER = '.tidewire/perf';
const WINDOW = { settleMs: 1000, measureMs: 4000 };
const WINDOW_QUICK = { settleMs: 500, measureMs: 1500 };

/** Returns the exit code: 0, or 1 if a bar was missed. */
async function run(options: Options): Promise<number> {
  const say = (text: string): void => console.log(text);
  if (options.isHelp) {
    console.log(helpText(SCENARIOS));
    return 0;
  }
  if (options.isSelfTest) return await runSelfTest(contextOf(options, say), say);
  if (options.profileFolder !== undefined) {
    const { measureMs } = options.isQuick ? WINDOW_QUICK : WINDOW;
    console.log(await profileServer(options.profileFolder, measureMs));
    return 0;
  }
  if (options.isHistory) {
    writeHistory(options.reportFolder ?? HISTORY_FOLDER);
    return 0;
  }
  if (options.isMicro) return await runMicro(options.jsonFile);
  const measurements = await measureAll(options);
  const results = measurements.map((measurement) => measurement.result);
  console.log(tableOf(results));
  if (options.isRecorded) appendHistory(historyEntry(new Date().toISOString(), results));
  if (options.jsonFile !== undefined)
    writeFileSync(options.jsonFile, `${JSON.stringify(results, null, 2)}\n`);
  if (options.reportFolder !== undefined) writeReport(options.reportFolder, measurements);
  return results.some((result) => result.pass === false) ? 1 : 0;
}

function contextOf(options: Options, progress: (text: string) => void): Context {
  const { rounds, isQuick, minutes, rate } = options;
  return { rounds, isQuick, minutes, rate, ...(isQuick ? WINDOW_QUICK : WINDOW), progress };
}

async function measureAll(options: Options): Promise<Measurement[]> {
  const environment = await readEnvironment();
  const progress = new Progress(options.scenarios.length);
  const context = contextOf(options, (text) => progress.say(text));
  const measurements: Measurement[] = [];
  try {
    for (const scenario of options.scenarios) {
      progress.begin(scenario.id);
      measurements.push(await measure(scenario, context, environment));
      progress.end();
    }
  } finally {
    progress.stop();
  }
  return measurements;
}

function writeReport(folder: string, measurements: readonly Measurement[]): void {
  writeHistory(folder);
  const { environment } = measurements[0].result;
  writeFileSync(join(folder, 'index.html'), reportPage(measurements, environment));
}

function writeHistory(folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'history.html'), historyPage(readHistory(), SCENARIOS));
}

try {
  process.exitCode = await run(readOptions(process.argv.slice(2), SCENARIOS));
} catch (error) {
  const isUsage = error instanceof UsageError;
  console.error(isUsage ? error.message : error);
  process.exitCode = isUsage ? 2 : 1;
}
