const WIDTH = 520;
const HEIGHT = 260;
const LEFT = 64;
const RIGHT = 16;
const TOP = 32;
const BOTTOM = 44;
const TICKS = 5;
const COLOURS: readonly string[] = ['#1f6feb', '#d1572b', '#2da44e', '#8250df'];

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface PlotOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  /** Texts below given x; without them the x axis has numbers. */
  readonly xTicks?: readonly (readonly [x: number, label: string])[];
}

/** Lines over two linear axes, from 0 upwards, as an SVG element. */
export function linePlot(options: PlotOptions): string {
  const points = options.series.flatMap((series) => series.points);
  if (points.length === 0) return '';
  const xMin = Math.min(...points.map(([x]) => x));
  const xMax = Math.max(...points.map(([x]) => x), xMin + 1e-9);
  const yMax = Math.max(...points.map(([, y]) => y), 1e-9) * 1.05;
  const toX = (x: number): number => LEFT + ((x - xMin) / (xMax - xMin)) * (WIDTH - LEFT - RIGHT);
  const toY = (y: number): number => HEIGHT - BOTTOM - (y / yMax) * (HEIGHT - TOP - BOTTOM);
  const xTicks = options.xTicks ?? evenTicks(xMin, xMax);
  return [
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">`,
    text(LEFT, 18, options.title, 'start', 'title'),
    text((WIDTH + LEFT) / 2, HEIGHT - 6, options.xLabel, 'middle'),
    text(LEFT, TOP - 2, options.yLabel, 'end'),
    ...evenTicks(0, yMax).map(([y, label]) => gridLine(toY(y), label)),
    ...xTicks.map(([x, label]) => text(toX(x), HEIGHT - BOTTOM + 16, label, 'middle')),
    ...options.series.flatMap((series, index) => line(series, index, toX, toY)),
    '</svg>',
  ].join('\n');
}

function line(
  series: Series,
  index: number,
  toX: (x: number) => number,
  toY: (y: number) => number,
): string[] {
  const colour = COLOURS[index % COLOURS.length];
  const places = series.points.map(([x, y]) => `${toX(x).toFixed(1)},${toY(y).toFixed(1)}`);
  const dots = places.map((place) => {
    const [x, y] = place.split(',');
    return `<circle cx="${x}" cy="${y}" r="2.5" fill="${colour}"/>`;
  });
  return [
    `<polyline points="${places.join(' ')}" fill="none" stroke="${colour}" stroke-width="1.5"/>`,
    ...dots,
    `<text x="${WIDTH - RIGHT}" y="${18 + 14 * index}" text-anchor="end" fill="${colour}">` +
      `${escapeText(series.name)}</text>`,
  ];
}

function gridLine(y: number, label: string): string {
  const rule = `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}" class="grid"/>`;
  return rule + text(LEFT - 6, y + 4, label, 'end');
}

function evenTicks(from: number, to: number): [number, string][] {
  return Array.from({ length: TICKS }, (_, index) => {
    const value = from + ((to - from) * index) / (TICKS - 1);
    return [value, shortNumber(value)];
  });
}

function shortNumber(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  if (value >= 1e3) return `${(value / 1e3).toFixed(1)} k`;
  return value >= 10 ? value.toFixed(0) : value.toFixed(2);
}

function text(x: number, y: number, words: string, anchor: string, name = 'label'): string {
  const place = `x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}"`;
  return `<text ${place} class="${name}">${escapeText(words)}</text>`;
}

export function escapeText(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
