import { writeFileSync } from 'node:fs';

/** Ends its worker at the first run, and stores a number at the second; the file says which it is. */
export function exitOnce(_: unknown, argument: unknown): unknown {
  const { file, n } = argument as { file: string; n: number };
  if (isFirst(file)) process.exit(3);
  return { put: { n } };
}

function isFirst(file: string): boolean {
  try {
    writeFileSync(file, '', { flag: 'wx' });
    return true;
  } catch {
    return false;
  }
}
