import { type Cells, ColumnFormat } from './columns.js';
import type { RowFormat } from './row-format.js';

const CELL_WIDTH_MAX = 40;
const GAP = '  ';

/** Columns as wide as the first records need, cut at `width` characters a line. */
export function tableFormat(width: number): RowFormat {
  let widths: readonly number[] = [];
  const line = (cells: readonly string[]): string => {
    const text = cells.map((cell, i) => fitted(cell, widths[i])).join(GAP);
    return `${cut(text.trimEnd(), width)}\n`;
  };
  return new ColumnFormat({
    begin: (columns, sample) => {
      widths = columns.map((column) => widthOf(column, sample));
      return line(columns) + line(widths.map((each) => '─'.repeat(each)));
    },
    line,
  });
}

function widthOf(column: string, sample: readonly Cells[]): number {
  const lengths = sample.map((cells) => [...printable(cells.get(column) ?? '')].length);
  return Math.min(CELL_WIDTH_MAX, Math.max([...printable(column)].length, ...lengths));
}

function fitted(text: string, width: number): string {
  const shown = cut(printable(text), width);
  return shown + ' '.repeat(Math.max(0, width - [...shown].length));
}

function cut(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`;
}

/** What others have stored must not steer this terminal. */
function printable(text: string): string {
  return text.replace(/\p{C}/gu, '·');
}
