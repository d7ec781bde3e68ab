import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Build, PRODUCT } from './world.js';

/** Of each package the folder of its compiled code. */
const SOURCES = {
  persistence: fileURLToPath(new URL('../../dist', import.meta.url)),
  worker: dirname(fileURLToPath(import.meta.resolve('@tidewire/partition-worker'))),
} as const;
const TARGET = fileURLToPath(new URL('../../dist-cut', import.meta.url));

/** A rule broken in the compiled code. */
export interface Mutation {
  readonly package: keyof typeof SOURCES;
  readonly file: string;
  /** Each stands once in the file. */
  readonly replacements: readonly (readonly [from: string, to: string])[];
}

/** The product with one rule broken, in a folder of this name. */
export async function mutantOf(name: string, mutation: Mutation): Promise<Build> {
  const folder = join(TARGET, name);
  rmSync(folder, { recursive: true, force: true });
  cpSync(SOURCES[mutation.package], folder, { recursive: true });
  const file = join(folder, mutation.file);
  writeFileSync(file, mutated(readFileSync(file, 'utf8'), mutation));
  const load = async (module: string): Promise<Partial<Build>> =>
    (await import(pathToFileURL(join(folder, module)).href)) as Partial<Build>;
  if (mutation.package === 'worker') return { ...PRODUCT, ...(await load('worker.js')) };
  const parts = ['persistence-engine.js', 'recovery.js', 'store.js'].map(load);
  return Object.assign({ ...PRODUCT }, ...(await Promise.all(parts)));
}

function mutated(text: string, { replacements, file }: Mutation): string {
  return replacements.reduce((before, [from, to]) => {
    if (before.split(from).length !== 2) throw new Error(`${file} has not once: ${from}`);
    return before.replace(from, () => to);
  }, text);
}
