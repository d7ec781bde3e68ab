import t from 'tap';
import { RecordStore } from '#lib/store/record-store.js';
import { buildCut } from './cut/cut-build.js';
import { cutAt, diesIn, revive } from './cut/cut-steps.js';
import { type ModelOptions, StoreModel } from './store-model.js';

t.setTimeout(0); // the runner's own limit is enough

const JOURNAL_ENTRIES = 64;
const isLong = process.env['TIDEWIRE_LONG_TESTS'] !== undefined;
const firstSeed = Number(process.env['SEED'] ?? 1);
const operations = isLong ? 60_000 : 4_000;
const seeds = Array.from({ length: isLong ? 6 : 2 }, (_, i) => firstSeed + i);

const url = buildCut('store-model')('worker/store/record-store.js');
const cut = (await import(url)) as typeof import('#lib/store/record-store.js');

const small = { keys: 4000, valueBytes: 5000, bigOdds: 0, operations };
const big = { keys: 300, valueBytes: 32_768, bigOdds: 20, operations: operations / 2 };
const shapes = [
  { name: 'many small values', ...small, arenaBytes: 48 << 20, isFull: false },
  { name: 'values up to 1 MiB, often no room', ...big, arenaBytes: 48 << 20, isFull: true },
  { name: 'an arena that is too small', ...small, arenaBytes: 2 << 20, isFull: true },
];

type Plain = Omit<ModelOptions, 'open' | 'run'>;

function undisturbed(options: Plain, arenaBytes: number): ModelOptions {
  const arena = new SharedArrayBuffer(arenaBytes);
  return {
    ...options,
    open: () => new RecordStore(arena, { journalEntries: JOURNAL_ENTRIES }),
    run(act) {
      act();
      return false;
    },
  };
}

/** Dies in every third act, and in a third of the attaches that follow, as often as it happens. */
function deadly(options: Plain, arenaBytes: number): ModelOptions {
  const arena = new SharedArrayBuffer(arenaBytes);
  const open = (): RecordStore => new cut.RecordStore(arena, { journalEntries: JOURNAL_ENTRIES });
  return {
    ...options,
    open,
    run(act, random) {
      if (random(3) === 0) cutAt(random(random(4) === 0 ? 3000 : 60));
      const died = diesIn(act);
      while (died && random(3) === 0) {
        cutAt(random(400));
        diesIn(open);
      }
      revive();
      return died;
    },
  };
}

for (const { name, arenaBytes, isFull, ...shape } of shapes)
  for (const seed of seeds) {
    const plain = { ...shape, seed, journalEntries: JOURNAL_ENTRIES };
    t.test(`STORE-2: the store holds what a Map holds: ${name}, seed ${seed}`, (t) => {
      const model = new StoreModel(undisturbed(plain, arenaBytes));
      model.run();
      t.equal(model.refused > 0, isFull, `${model.refused} refused`);
      t.end();
    });
    t.test(`STORE-3: random deaths lose and tear nothing: ${name}, seed ${seed}`, (t) => {
      const model = new StoreModel(deadly(plain, arenaBytes));
      model.run();
      t.ok(model.deaths > 0, `${model.deaths} deaths, ${model.kept} writes kept`);
      t.end();
    });
  }
