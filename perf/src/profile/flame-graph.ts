import { escapeText } from '../report/plot.js';
import { type Frame, labelOf } from './cpu-profile.js';

const WIDTH = 1400;
const ROW = 18;
const HEAD = 40;
/** Narrower frames are not drawn. */
const WIDTH_MIN = 0.5;
const LETTER_WIDTH = 6.4;
const DEPTH_MAX = 60;

/** The frames as an SVG document: callers above what they call, widths by time, titles on hover. */
export function flameGraph(root: Frame, title: string): string {
  const rects: string[] = [];
  let deepest = 0;
  const draw = (frame: Frame, x: number, depth: number): void => {
    const width = (frame.totalMicros / root.totalMicros) * WIDTH;
    if (width < WIDTH_MIN || depth > DEPTH_MAX) return;
    deepest = Math.max(deepest, depth);
    rects.push(rectangle(frame, { x, y: HEAD + depth * ROW, width }, root.totalMicros));
    let from = x;
    for (const child of byName(frame.children)) {
      draw(child, from, depth + 1);
      from += (child.totalMicros / root.totalMicros) * WIDTH;
    }
  };
  draw(root, 0, 0);
  const height = HEAD + (deepest + 1) * ROW + 8;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" ` +
      `height="${height}" font-family="ui-monospace,monospace" font-size="11">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="8" y="24" font-size="15" font-family="system-ui,sans-serif">${escapeText(title)}</text>`,
    ...rects,
    '</svg>',
  ].join('\n');
}

function rectangle(
  frame: Frame,
  place: { x: number; y: number; width: number },
  totalMicros: number,
): string {
  const { x, y, width } = place;
  const label = labelOf(frame);
  const share = ((100 * frame.totalMicros) / totalMicros).toFixed(1);
  const letters = Math.floor((width - 6) / LETTER_WIDTH);
  const shown = label.length > letters ? `${label.slice(0, Math.max(0, letters - 1))}…` : label;
  const text =
    letters < 3 ? '' : `<text x="${(x + 3).toFixed(1)}" y="${y + 13}">${escapeText(shown)}</text>`;
  return (
    `<g><title>${escapeText(label)}: ${share} %</title>` +
    `<rect x="${x.toFixed(1)}" y="${y}" width="${Math.max(0.3, width - 0.5).toFixed(1)}" ` +
    `height="${ROW - 1}" rx="1.5" fill="${colourOf(frame.file)}"/>${text}</g>`
  );
}

function byName(frames: readonly Frame[]): Frame[] {
  return [...frames].sort((left, right) => (labelOf(left) < labelOf(right) ? -1 : 1));
}

/** A warm colour, the same for all functions of a file; native code is grey. */
function colourOf(file: string): string {
  if (file === '') return '#d0d4da';
  let hash = 7;
  for (let i = 0; i < file.length; i++) hash = (Math.imul(hash, 31) + file.charCodeAt(i)) | 0;
  return `hsl(${(hash >>> 0) % 60}, 85%, ${68 + ((hash >>> 8) % 14)}%)`;
}
