import { readFileSync } from 'node:fs';
import t from 'tap';
import { uwsMissing } from '#lib/transport/uws-transport.js';
import { type Case, type Name, TRANSPORT_NAMES } from './conformance/conformance.js';
import { conformancePage, verdictOf } from './conformance/conformance-page.js';
import { GROUPS, playAll } from './conformance/play.js';

const missing = await uwsMissing();
const outcomes = new Map<Case, Partial<Record<Name, string>>>();

for (const name of TRANSPORT_NAMES) {
  const skip = name === 'uws' && missing !== undefined ? missing : false;
  t.test(
    `TRANS-24: ${name} does what the RFC allows, but for deviations named beforehand${skip ? `: ${skip}` : ''}`,
    { skip },
    async (t) => {
      await playAll(t, name, outcomes);
      for (const { title, cases } of GROUPS)
        for (const play of cases) {
          const outcome = outcomes.get(play)?.[name] ?? '';
          const known = play.known?.[name];
          const text = `${title}, ${play.title}: ${outcome}`;
          if (known === undefined) t.not(verdictOf(play, outcome), 'deviates', text);
          else t.equal(outcome, known, text);
        }
    },
  );
}

t.test(
  `TRANS-25: docs/conformance.md tells what comes of every case${missing === undefined ? '' : `: ${missing}`}`,
  { skip: missing !== undefined },
  async (t) => {
    const page = readFileSync(new URL('../../../docs/conformance.md', import.meta.url), 'utf8');
    t.equal(page, conformancePage(GROUPS, outcomes));
  },
);
