import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { CLOCK_BOUND_AHEAD_MS, DRIFT_MS_MAX, type PhysicalClock } from '@tidewire/core';

const FILE_NAME = 'clock-bound';
const LINE = /^(\d{1,15}) ([0-9a-f]{8})\n$/;

/**
 * A time that the clock of this process promises not to reach, kept in a small file: the next
 * process starts its clock there, above every stamp ever issued, even where no database can be
 * asked. The owner raises it once a second and passes it to the clock only when it is on disk.
 *
 * The file is one line: milliseconds since 1970, a space, and their CRC-32 in hexadecimal.
 */
export class ClockBound {
  readonly #path: string;
  readonly #now: PhysicalClock;
  /** The highest bound that this process knows to be, or to have been, on its way to the disk. */
  #bound = 0;
  #raising: Promise<number> | undefined;

  constructor(options: { dataDir: string; now: PhysicalClock }) {
    this.#path = join(options.dataDir, FILE_NAME);
    this.#now = options.now;
  }

  /** The bound last written; 0 if there is none. Rejects if the file is damaged. */
  async read(): Promise<number> {
    const text = await readFile(this.#path, 'latin1').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) return 0;
    const match = LINE.exec(text);
    if (match === null || checksumOf(match[1]) !== match[2])
      throw new Error(
        `The clock file ${this.#path} is damaged; remove it once the system clock is right.`,
      );
    this.#bound = Number(match[1]);
    return this.#bound;
  }

  /**
   * Writes the next bound, given the clock's `ms`. Resolves with it once it is on disk. It is never
   * below an earlier one. While one is being written, that one is the answer: a slow disk must not
   * let two writes meet in one file.
   */
  raise(ms: number): Promise<number> {
    this.#raising ??= this.#write(ms).finally(() => {
      this.#raising = undefined;
    });
    return this.#raising;
  }

  async #write(ms: number): Promise<number> {
    const ahead = Math.max(Math.ceil(this.#now()) + DRIFT_MS_MAX, ms) + CLOCK_BOUND_AHEAD_MS;
    const bound = Math.max(ahead, this.#bound);
    this.#bound = bound;
    const folder = dirname(this.#path);
    await mkdir(folder, { recursive: true });
    const partial = `${this.#path}.new`;
    await writeThrough(partial, `${bound} ${checksumOf(String(bound))}\n`);
    await rename(partial, this.#path);
    await syncFolder(folder);
    return bound;
  }
}

function checksumOf(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

async function writeThrough(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(text, 'latin1');
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A rename is on disk only once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
