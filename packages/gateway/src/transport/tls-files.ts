import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { TlsFiles } from './transport.js';

/** Key and certificate in PEM. */
export interface TlsMaterial {
  readonly key: Buffer;
  readonly cert: Buffer;
}

/** Reads both files and tries them out. Rejects with a sentence for the operator. */
export async function readTls(files: TlsFiles): Promise<TlsMaterial> {
  const [key, cert] = [await readPem(files.key), await readPem(files.certificate)];
  try {
    createSecureContext({ key, cert });
  } catch (cause) {
    throw new Error(
      `${files.key} and ${files.certificate} are no key and certificate in PEM that belong together.`,
      { cause },
    );
  }
  return { key, cert };
}

async function readPem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new Error(`${path} cannot be read: ${(cause as NodeJS.ErrnoException).code}.`, { cause });
  }
}
