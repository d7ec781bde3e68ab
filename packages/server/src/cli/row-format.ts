import type { Entry } from '@tidewire/client';
import { csvFormat } from './csv-format.js';
import { valueMember } from './stored-json.js';
import { tableFormat } from './table-format.js';

/** How records are written, one after the other. */
export interface RowFormat {
  /** The text that the next record adds. */
  row(entry: Entry<unknown>): string;
  /** What remains to be written. */
  end(): string;
  /** A sentence on what the format could not show; undefined: nothing is missing. */
  readonly loss?: string | undefined;
}

export const FORMAT_NAMES = ['table', 'jsonl', 'json', 'csv'] as const;
export type FormatName = (typeof FORMAT_NAMES)[number];

export function formatOf(name: FormatName, options: { readonly width: number }): RowFormat {
  switch (name) {
    case 'table':
      return tableFormat(options.width);
    case 'csv':
      return csvFormat();
    case 'jsonl':
      return { row: (entry) => `${rowJson(entry)}\n`, end: () => '' };
    case 'json':
      return jsonArrayFormat();
  }
}

function jsonArrayFormat(): RowFormat {
  let before = '[\n';
  return {
    row: (entry) => {
      const text = before + rowJson(entry);
      before = ',\n';
      return text;
    },
    end: () => (before === '[\n' ? '[]\n' : '\n]\n'),
  };
}

/** As `load` reads it back: the value stands in it digit for digit. */
function rowJson({ key, bytes, storedAs }: Entry<unknown>): string {
  return `{"key":${JSON.stringify(key)},${valueMember(bytes, storedAs)}}`;
}
