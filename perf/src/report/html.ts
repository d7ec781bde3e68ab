import type { LatencyPoint } from '../load/plan.js';
import type { Environment } from '../measure/environment.js';
import type { Measurement } from '../measure/measure.js';
import type { Sample } from '../measure/scenario.js';
import { short } from './format.js';
import type { HistoryEntry } from './history.js';
import { escapeText, linePlot, type Series } from './plot.js';
import { verdict } from './table.js';

const STYLE = `body{font:15px system-ui,sans-serif;max-width:1120px;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}
td,th{padding:.25rem .75rem;text-align:left;border-bottom:1px solid #8884}
svg{width:520px;max-width:100%;font:11px system-ui,sans-serif}.grid{stroke:#8883}
.title{font-weight:600;font-size:13px}svg .label,svg .title{fill:currentColor}
@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}`;

/** One page with everything in it: no network, no script. */
export function reportPage(
  measurements: readonly Measurement[],
  history: readonly HistoryEntry[],
  environment: Environment,
): string {
  return [
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Tidewire, measured</title>',
    `<style>${STYLE}</style><h1>Tidewire, measured side by side</h1>`,
    `<p>${escapeText(describe(environment))}</p>`,
    summaryTable(measurements),
    ...measurements.map(section),
    historySection(measurements, history),
    '</html>',
  ].join('\n');
}

function describe(environment: Environment): string {
  const { commit, cpu, cores, node, platform, peers } = environment;
  const versions = Object.entries(peers).map(
    ([name, version]) => `${name} ${version ?? 'missing'}`,
  );
  return `commit ${commit}, ${cores} × ${cpu}, Node ${node} on ${platform}, ${versions.join(', ')}`;
}

function summaryTable(measurements: readonly Measurement[]): string {
  const head = ['', 'what', 'ours', 'theirs', 'unit', 'ratio', 'bar', 'goal', 'verdict'];
  const rows = measurements.map(({ result }) => [
    result.id,
    result.title,
    short(result.ours),
    short(result.theirs),
    result.unit,
    short(result.ratio),
    String(result.bar),
    String(result.goal),
    verdict(result),
  ]);
  const cells = (tag: string, row: readonly string[]): string =>
    `<tr>${row.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>${cells('th', head)}${rows.map((row) => cells('td', row)).join('\n')}</table>`;
}

function section({ result, samples }: Measurement): string {
  const notes = result.notes.map((note) => `<li>${escapeText(note)}</li>`).join('');
  const rounds: Series[] = [
    { name: 'ours', points: samples.ours.map((sample, index) => [index + 1, sample.value]) },
    { name: 'theirs', points: samples.theirs.map((sample, index) => [index + 1, sample.value]) },
  ];
  return [
    `<h2>${result.id}: ${escapeText(result.title)}</h2><ul>${notes}</ul>`,
    linePlot({ title: 'by round', xLabel: 'round', yLabel: result.unit, series: rounds }),
    throughputPlot(samples.ours.at(-1), samples.theirs.at(-1)),
    latencyPlot(samples.ours.at(-1), samples.theirs.at(-1)),
  ].join('\n');
}

function throughputPlot(ours: Sample | undefined, theirs: Sample | undefined): string {
  const pointsOf = (sample: Sample | undefined): [number, number][] =>
    (sample?.load?.series ?? []).map((perSecond, index) => [(index + 1) / 10, perSecond]);
  const series = [
    { name: 'ours', points: pointsOf(ours) },
    { name: 'theirs', points: pointsOf(theirs) },
  ];
  const title = 'acked over the last round';
  return linePlot({ title, xLabel: 'seconds', yLabel: '/s', series });
}

function latencyPlot(ours: Sample | undefined, theirs: Sample | undefined): string {
  const series = [
    { name: 'ours', points: latencyPoints(ours?.load?.latency ?? []) },
    { name: 'theirs', points: latencyPoints(theirs?.load?.latency ?? []) },
  ];
  const xTicks = [50, 90, 99, 99.9].map((p) => [nines(p), String(p)] as const);
  const title = 'latency in the last round';
  return linePlot({ title, xLabel: 'percentile', yLabel: 'µs', series, xTicks });
}

/** Percentiles up to 99.9, spread as HdrHistogram plots do: a nine more is a step more. */
function latencyPoints(latency: readonly LatencyPoint[]): [number, number][] {
  return latency
    .filter((point) => point.percentile <= 99.9)
    .map((point) => [nines(point.percentile), point.micros]);
}

function nines(percentile: number): number {
  return -Math.log10(1 - percentile / 100);
}

function historySection(
  measurements: readonly Measurement[],
  history: readonly HistoryEntry[],
): string {
  if (history.length < 2) return '';
  const plots = measurements.map(({ result }) => {
    const points = history.flatMap((entry, index): [number, number][] => {
      const ratio = entry.results.find((past) => past.id === result.id)?.ratio;
      return typeof ratio === 'number' ? [[index + 1, ratio]] : [];
    });
    const series = [{ name: 'ratio', points }];
    const title = `${result.id} (bar ${result.bar}, goal ${result.goal})`;
    return linePlot({ title, xLabel: 'recorded run', yLabel: 'ratio', series });
  });
  return `<h2>Recorded runs</h2>${plots.join('\n')}`;
}
