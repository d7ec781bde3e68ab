import { pipeline, Readable } from 'node:stream';
import { type InfoRecord, parse } from 'csv-parse';
import { FailedError, UsageError } from './io.js';
import { RECORD_BYTES_MAX, type Reading } from './reading.js';

interface Row {
  readonly record: Readonly<Record<string, string>>;
  readonly info: InfoRecord;
}

/**
 * The records of CSV text with a header (RFC 4180), one by one.
 * @throws UsageError if the header lacks the key's column or names one twice; FailedError where the
 *   text cannot be CSV.
 */
export async function* csvReadings(
  chunks: AsyncIterable<Uint8Array>,
  keyField: string,
): AsyncGenerator<Reading[]> {
  const parser = parse({
    bom: true,
    info: true,
    columns: (header: string[]) => checkedHeader(header, keyField),
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: RECORD_BYTES_MAX,
  });
  pipeline(Readable.from(chunks), parser, () => {}); // an error ends the parser's iteration
  try {
    for await (const row of parser) yield [rowReading(row as Row, keyField)];
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new FailedError(`the file is not CSV: ${(error as Error).message}`);
  }
}

function checkedHeader(header: string[], keyField: string): string[] {
  if (!header.includes(keyField))
    throw new UsageError(`the file has no column "${keyField}", only ${header.join(', ')}`);
  const twice = header.find((name, i) => header.indexOf(name) !== i);
  if (twice !== undefined) throw new UsageError(`the file has two columns "${twice}"`);
  return header;
}

function rowReading({ record, info }: Row, keyField: string): Reading {
  const line = info.lines;
  if (info.error) return { kind: 'fault', line, reason: 'not as many fields as the header' };
  const value = Buffer.from(JSON.stringify(record));
  return { kind: 'record', line, key: record[keyField], value, storedAs: 'json' };
}
