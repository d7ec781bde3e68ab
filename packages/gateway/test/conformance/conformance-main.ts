// Plays every case against both transports and writes docs/conformance.md: `pnpm -s conformance`.
import { writeFileSync } from 'node:fs';
import { type Case, type Name, TRANSPORT_NAMES } from './conformance.js';
import { conformancePage } from './conformance-page.js';
import { GROUPS, playAll } from './play.js';

const PAGE = new URL('../../../../docs/conformance.md', import.meta.url);

const outcomes = new Map<Case, Partial<Record<Name, string>>>();
const ends: (() => unknown)[] = [];
for (const name of TRANSPORT_NAMES)
  await playAll({ teardown: (end) => void ends.push(end) }, name, outcomes);
for (const end of ends) await end();
writeFileSync(PAGE, conformancePage(GROUPS, outcomes));
