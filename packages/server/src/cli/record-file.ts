import { type FileHandle, open } from 'node:fs/promises';
import { extname } from 'node:path';
import { ArraySplitter } from './array-splitter.js';
import { csvReadings } from './csv-records.js';
import { UsageError } from './io.js';
import { LineSplitter, type Piece } from './line-splitter.js';
import { RECORD_BYTES_MAX, type Reading, readingOf } from './reading.js';

/** A file of records, read from front to end once. */
export interface RecordFile {
  readonly path: string;
  readonly bytes: number;
  readonly bytesRead: number;
  /** Everything in it, in groups; only a chunk of the file is held at a time. */
  readings(): AsyncGenerator<Reading[]>;
  close(): Promise<void>;
}

type Format = 'lines' | 'array' | 'csv';

const CHUNK_BYTES: number = 64 * 1024;
const BYTE_ORDER_MARK: Uint8Array = Uint8Array.of(0xef, 0xbb, 0xbf);

/**
 * `keyField`: the field of the key; undefined for what `list` has written.
 * @throws UsageError if there is no such file to read.
 */
export async function openRecordFile(
  path: string,
  keyField: string | undefined,
): Promise<RecordFile> {
  const handle = await open(path).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`cannot read "${path}" (${error.code}); name a file of records`);
  });
  const stat = await handle.stat();
  if (!stat.isFile()) {
    await handle.close();
    throw new UsageError(`"${path}" is not a file; name a file of records`);
  }
  const source = new ChunkedFile(handle);
  return {
    path,
    bytes: stat.size,
    get bytesRead() {
      return source.bytesRead;
    },
    readings: () => readingsOf(source, extname(path).toLowerCase(), keyField),
    close: () => handle.close(),
  };
}

/** The bytes of a file from front to end, without a byte order mark. */
class ChunkedFile {
  readonly #handle: FileHandle;
  bytesRead = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** The first bytes, without taking them. */
  async peek(): Promise<Uint8Array> {
    return withoutMark(await this.#read(0));
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const first = this.bytesRead === 0;
      const chunk = await this.#read(this.bytesRead);
      if (chunk.length === 0) return;
      this.bytesRead += chunk.length;
      yield first ? withoutMark(chunk) : chunk;
    }
  }

  async #read(position: number): Promise<Uint8Array> {
    const buffer = Buffer.alloc(CHUNK_BYTES);
    const { bytesRead } = await this.#handle.read(buffer, 0, CHUNK_BYTES, position);
    return buffer.subarray(0, bytesRead);
  }
}

async function* readingsOf(
  source: ChunkedFile,
  extension: string,
  keyField: string | undefined,
): AsyncGenerator<Reading[]> {
  const format = formatOf(extension, await source.peek());
  if (format === 'csv') {
    if (keyField === undefined) throw new UsageError('a CSV file needs --key FIELD');
    yield* csvReadings(source.chunks(), keyField);
  } else if (format === 'lines')
    yield* pieceReadings(source.chunks(), new LineSplitter(), { keyField, verbatim: true });
  else yield* pieceReadings(source.chunks(), new ArraySplitter(), { keyField, verbatim: false });
}

async function* pieceReadings(
  chunks: AsyncIterable<Uint8Array>,
  splitter: LineSplitter | ArraySplitter,
  how: { keyField: string | undefined; verbatim: boolean },
): AsyncGenerator<Reading[]> {
  const reading = ({ line, bytes }: Piece): Reading =>
    bytes === undefined
      ? { kind: 'fault', line, reason: `longer than ${RECORD_BYTES_MAX} bytes` }
      : readingOf(bytes, { line, ...how });
  for await (const chunk of chunks) yield splitter.push(chunk).map(reading);
  yield splitter.end().map(reading);
}

/** By the ending; `.json` and unknown ones by the first character that is not white space. */
function formatOf(extension: string, head: Uint8Array): Format {
  if (extension === '.csv') return 'csv';
  if (extension === '.jsonl' || extension === '.ndjson') return 'lines';
  const first = String.fromCharCode(head.find((byte) => byte > 0x20) ?? 0);
  if (first === '[') return 'array';
  return extension === '.json' || first === '{' ? 'lines' : 'csv';
}

function withoutMark(chunk: Uint8Array): Uint8Array {
  const marked = BYTE_ORDER_MARK.every((byte, i) => chunk[i] === byte);
  return marked ? chunk.subarray(BYTE_ORDER_MARK.length) : chunk;
}
