import type { Result } from '../measure/result.js';
import { short } from './format.js';

const HEAD: readonly string[] = ['id', 'ours', 'theirs', 'unit', 'ratio', 'bar', 'goal', ''];

/** The results as lines of text, aligned, with the titles and notes below. */
export function tableOf(results: readonly Result[]): string {
  const rows = [HEAD, ...results.map(rowOf)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
  const notes = results.flatMap((result) => [
    '',
    `${result.id}: ${result.title}`,
    ...result.notes.map((note) => `  ${note}`),
  ]);
  return [...lines, ...notes].join('\n');
}

function rowOf(result: Result): string[] {
  const { id, ours, theirs, unit, ratio, bar, goal } = result;
  return [
    id,
    short(ours),
    short(theirs),
    unit,
    short(ratio),
    String(bar),
    String(goal),
    verdict(result),
  ];
}

/** In words, for a reader; `pass` alone is what counts. */
export function verdict(result: Result): string {
  if (result.pass === null) return 'skipped';
  if (!result.pass) return result.ratio === null ? 'FAILED' : 'MISSED';
  const { ratio, bar, goal } = result;
  const isGoal = ratio !== null && (goal >= bar ? ratio >= goal : ratio <= goal);
  return isGoal ? 'goal' : 'bar';
}
