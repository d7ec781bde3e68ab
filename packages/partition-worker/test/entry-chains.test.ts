import t from 'tap';
import { EntryChains, NO_CHAIN } from '#lib/query/entry-chains.js';
import { randomFrom } from './store-fixture.js';

const SEED = Number(process.env['SEED'] ?? 1);
const CHAINS = 7;

function entriesOf(chains: EntryChains, chain: number): number[] {
  const entries: number[] = [];
  for (let link = chain; link !== 0; link = chains.next[link]) entries.push(chains.entries[link]);
  return entries;
}

t.test(`INDEX-2: a chain holds what was added and not removed, seed ${SEED}`, async (t) => {
  const random = randomFrom(SEED);
  const chains = new EntryChains();
  const heads = new Array<number>(CHAINS).fill(NO_CHAIN);
  const model: { entry: number; link: number }[][] = heads.map(() => []);
  for (let step = 0; step < 20_000; step++) {
    const at = random(CHAINS);
    if (random(100) < 52 || model[at].length === 0) {
      heads[at] = chains.add(heads[at], step);
      model[at].unshift({ entry: step, link: heads[at] });
    } else {
      const [gone] = model[at].splice(random(model[at].length), 1);
      heads[at] = chains.remove(heads[at], gone.link);
    }
    if (step % 100 !== 0) continue;
    const expected = model.map((links) => links.map(({ entry }) => entry));
    t.same(
      heads.map((head) => entriesOf(chains, head)),
      expected,
    );
  }
  t.ok(
    model.some((links) => links.length > 100),
    'chains got long',
  );
});

t.test('INDEX-2: an emptied chain is none, and its links serve again', async (t) => {
  const chains = new EntryChains();
  for (let round = 0; round < 1000; round++) {
    const first = chains.add(NO_CHAIN, 1);
    const both = chains.add(first, 2);
    t.equal(chains.remove(both, both), first);
    t.equal(chains.remove(first, first), NO_CHAIN);
  }
  t.equal(chains.entries.length, 64, 'no more room than two links need');
});
