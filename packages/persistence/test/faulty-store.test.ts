import t from 'tap';
import type { Store } from '#lib/store.js';
import { storeContract } from './store.contract.js';
import { type Fate, FaultyStore, persistent } from './support/faulty-store.js';
import { MemoryStore, Place } from './support/memory-store.js';

const SEED = Number(process.env['SEED'] ?? 20_261_125);

/** Xorshift; half of the calls pass. */
function fatesFrom(seed: number): () => Fate {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (['PASS', 'PASS', 'FAIL', 'LOSE'] as const)[state & 3];
  };
}

t.test('a store in memory keeps the contract, so that the next test says something', async (t) => {
  storeContract(t, async () => {
    const place = new Place();
    return () => new MemoryStore(place);
  });
});

t.test(
  `STOREC-6: calls that fail, with effect and without, may be repeated (seed ${SEED})`,
  async (t) => {
    const fates = fatesFrom(SEED);
    const stores: FaultyStore[] = [];
    storeContract(t, async () => {
      const place = new Place();
      return (): Store => {
        const store = new FaultyStore(new MemoryStore(place), fates);
        stores.push(store);
        return persistent(store);
      };
    });
    t.teardown(() => {
      if (!stores.some(({ failures }) => failures > 0)) throw new Error('no call failed');
    });
  },
);
