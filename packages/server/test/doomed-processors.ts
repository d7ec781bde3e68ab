import { existsSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

/** Processors that no worker can load any more once the file that DOOM names is there. */
const doom = process.env['DOOM'] ?? '';
if (!isMainThread && existsSync(doom)) throw new Error('The worker is doomed.');

export function bringDoom(): unknown {
  writeFileSync(doom, '');
  return process.exit(3);
}
