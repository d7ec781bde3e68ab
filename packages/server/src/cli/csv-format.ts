import { ColumnFormat } from './columns.js';
import type { RowFormat } from './row-format.js';

/** CSV with a header (RFC 4180). */
export function csvFormat(): RowFormat {
  return new ColumnFormat({ begin: (columns) => csvLine(columns), line: csvLine });
}

function csvLine(cells: readonly string[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
