const WIDTH = 520;
const HEIGHT = 260;
const LEFT = 64;
const RIGHT = 16;
const TOP = 32;
const BOTTOM = 44;
const TICKS = 4;
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
  const isCounted = points.every(([x]) => Number.isInteger(x));
  const yTicks = roundTicks(0, Math.max(...points.map(([, y]) => y), 1e-9));
  const yMax = yTicks[yTicks.length - 1][0];
  const toX = (x: number): number => LEFT + ((x - xMin) / (xMax - xMin)) * (WIDTH - LEFT - RIGHT);
  const toY = (y: number): number => HEIGHT - BOTTOM - (y / yMax) * (HEIGHT - TOP - BOTTOM);
  const xTicks = options.xTicks ?? roundTicks(xMin, xMax, isCounted ? 1 : 0);
  const title = `${options.title}, ${options.yLabel}`;
  return [
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">`,
    text(LEFT, 18, title, 'start', 'title'),
    legend(options.series),
    text((WIDTH + LEFT) / 2, HEIGHT - 6, options.xLabel, 'middle'),
    ...yTicks.map(([y, label]) => gridLine(toY(y), label)),
    ...xTicks
      .filter(([x]) => x >= xMin && x <= xMax)
      .map(([x, label]) => text(toX(x), HEIGHT - BOTTOM + 16, label, 'middle')),
    ...options.series.flatMap((series, index) => line(series, index, toX, toY)),
    '</svg>',
  ].join('\n');
}

/** The names of the lines in their colours, beside the title. */
function legend(series: readonly Series[]): string {
  const names = series.map(({ name }, index) => {
    const colour = COLOURS[index % COLOURS.length];
    return `<tspan fill="${colour}" dx="12">${escapeText(name)}</tspan>`;
  });
  return `<text x="${WIDTH - RIGHT}" y="18" text-anchor="end">${names.join('')}</text>`;
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
  ];
}

function gridLine(y: number, label: string): string {
  const rule = `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}" class="grid"/>`;
  return rule + text(LEFT - 6, y + 4, label, 'end');
}

/** Ticks at round numbers, the first at or below `from`, the last at or above `to`. */
function roundTicks(from: number, to: number, stepMin = 0): [number, string][] {
  const step = Math.max(stepMin, roundStep((to - from) / TICKS));
  const first = Math.floor(from / step + 1e-9);
  const last = Math.ceil(to / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const value = (first + index) * step;
    return [value, shortNumber(value)];
  });
}

/** The smallest of 1, 2, 2.5 and 5 times a power of ten that is not below `wanted`. */
function roundStep(wanted: number): number {
  const power = 10 ** Math.floor(Math.log10(wanted));
  return power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= wanted * 0.999) ?? 10);
}

function shortNumber(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toFixed(2))} M`;
  if (value >= 1e4) return `${Number((value / 1e3).toFixed(1))} k`;
  return String(Number(value.toFixed(3)));
}

function text(x: number, y: number, words: string, anchor: string, name = 'label'): string {
  const place = `x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}"`;
  return `<text ${place} class="${name}">${escapeText(words)}</text>`;
}

export function escapeText(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
