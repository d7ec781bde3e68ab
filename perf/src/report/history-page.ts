import type { Scenario } from '../measure/scenario.js';
import type { HistoryEntry } from './history.js';
import { STYLE } from './html.js';
import { escapeText, linePlot, type Series } from './plot.js';

/** The ratios of all recorded runs, a plot a scenario, and below what was measured when. */
export function historyPage(
  history: readonly HistoryEntry[],
  catalogue: readonly Scenario[],
): string {
  const plots = catalogue.map((scenario) => ratioPlot(scenario, history));
  const rows = history.map(({ at, environment }, index) => {
    const { commit, cpu, cores, node } = environment;
    return row([String(index + 1), at.slice(0, 16), commit, `${cores} × ${cpu}`, node]);
  });
  const head = row(['', 'when', 'commit', 'machine', 'Node']).replaceAll('td>', 'th>');
  return [
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Tidewire, recorded runs</title>',
    `<style>${STYLE}</style><h1>Recorded runs</h1>`,
    history.length === 0 ? '<p>None yet: pnpm perf --record writes one.</p>' : '',
    '<p>Ratios ours ÷ theirs, with the bar and the goal of each.</p>',
    ...plots,
    `<h2>Runs</h2><table>${head}${rows.join('')}</table></html>`,
  ].join('\n');
}

function ratioPlot(scenario: Scenario, history: readonly HistoryEntry[]): string {
  const points = history.flatMap((entry, index): [number, number][] => {
    const ratio = entry.results.find((result) => result.id === scenario.id)?.ratio;
    return typeof ratio === 'number' ? [[index + 1, ratio]] : [];
  });
  if (points.length === 0) return '';
  const level = (name: string, y: number): Series => ({
    name: `${name} ${y}`,
    points: [points[0], points[points.length - 1]].map(([x]) => [x, y] as const),
  });
  const levels = scenario.bar === 0 ? [] : [level('bar', scenario.bar)];
  const series = [{ name: 'ratio', points }, ...levels, level('goal', scenario.goal)];
  const title = `${scenario.id}, ${scenario.better} is better`;
  return linePlot({ title, xLabel: 'recorded run', yLabel: 'ratio', series });
}

function row(cells: readonly string[]): string {
  return `<tr>${cells.map((cell) => `<td>${escapeText(cell)}</td>`).join('')}</tr>`;
}
