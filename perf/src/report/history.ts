import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../measure/environment.js';
import type { Result } from '../measure/result.js';

const HISTORY_FILE: string = fileURLToPath(new URL('../../results/history.jsonl', import.meta.url));

/** One recorded run: a line of the history. */
export interface HistoryEntry {
  /** ISO 8601. */
  readonly at: string;
  readonly environment: Environment;
  readonly results: readonly Pick<Result, 'id' | 'ours' | 'theirs' | 'ratio' | 'unit' | 'pass'>[];
}

export function historyEntry(at: string, results: readonly Result[]): HistoryEntry {
  return {
    at,
    environment: results[0].environment,
    results: results
      .filter((result) => result.ratio !== null)
      .map(({ id, ours, theirs, ratio, unit, pass }) => ({ id, ours, theirs, ratio, unit, pass })),
  };
}

export function appendHistory(entry: HistoryEntry, file: string = HISTORY_FILE): void {
  mkdirSync(dirname(file), { recursive: true });
  appendFileSync(file, `${JSON.stringify(entry)}\n`);
}

export function readHistory(file: string = HISTORY_FILE): HistoryEntry[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as HistoryEntry);
}
