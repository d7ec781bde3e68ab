import type { LatencyPoint, LoadReport } from '../load/plan.js';
import type { Environment } from '../measure/environment.js';
import type { Measurement } from '../measure/measure.js';
import type { Sample } from '../measure/scenario.js';
import { short } from './format.js';
import { escapeText, linePlot, type Series } from './plot.js';
import { verdict } from './table.js';

export const STYLE = `body{font:15px system-ui,sans-serif;max-width:1120px;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}
td,th{padding:.25rem .6rem;text-align:left;border-bottom:1px solid #8884;vertical-align:top}
td:not(:nth-child(2)){white-space:nowrap}
svg{width:520px;max-width:100%;font:11px system-ui,sans-serif}.grid{stroke:#8883}
.title{font-weight:600;font-size:13px}svg .label,svg .title{fill:currentColor}
@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}`;

/** One page with everything in it: no network, no script. */
export function reportPage(measurements: readonly Measurement[], environment: Environment): string {
  return [
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Tidewire, measured</title>',
    `<style>${STYLE}</style><h1>Tidewire, measured side by side</h1>`,
    `<p>${escapeText(describe(environment))}</p>`,
    summaryTable(measurements),
    ...measurements.map(section),
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
    ...curvePlots(samples.ours.at(-1), samples.theirs.at(-1)),
  ].join('\n');
}

function throughputPlot(ours: Sample | undefined, theirs: Sample | undefined): string {
  const pointsOf = (sample: Sample | undefined): [number, number][] =>
    wholeSteps(sample?.load).map((perSecond, index) => [(index + 1) / 10, perSecond]);
  const series = [
    { name: 'ours', points: pointsOf(ours) },
    { name: 'theirs', points: pointsOf(theirs) },
  ];
  const title = 'acked over the last round';
  return linePlot({ title, xLabel: 'seconds', yLabel: '/s', series });
}

/** Without the step at the end that is shorter than the others. */
function wholeSteps(load: LoadReport | undefined): readonly number[] {
  return load === undefined ? [] : load.series.slice(0, Math.floor(load.seconds * 10 - 0.5));
}

/** What scenarios draw themselves; a curve of the same title on both sides is one plot. */
function curvePlots(ours: Sample | undefined, theirs: Sample | undefined): string[] {
  const drawn = [
    ...(ours?.curves ?? []).map((curve) => ({ name: 'ours', curve })),
    ...(theirs?.curves ?? []).map((curve) => ({ name: 'theirs', curve })),
  ];
  const titles = [...new Set(drawn.map(({ curve }) => curve.title))];
  return titles.map((title) => {
    const same = drawn.filter(({ curve }) => curve.title === title);
    const series = same.map(({ name, curve }) => ({ name, points: curve.points }));
    const { xLabel, yLabel, points, isLogarithmic } = same[0].curve;
    if (isLogarithmic !== true) return linePlot({ title, xLabel, yLabel, series });
    const xTicks = points.map(([x]) => [Math.log2(x), String(x)] as const);
    const spread = series.map((line) => ({
      name: line.name,
      points: line.points.map(([x, y]) => [Math.log2(x), y] as const),
    }));
    return linePlot({ title, xLabel, yLabel, series: spread, xTicks });
  });
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
