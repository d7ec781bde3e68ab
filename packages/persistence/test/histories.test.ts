import { hashOf, JOURNAL_ENTRIES, partitionOf } from '@tidewire/core';
import t from 'tap';
import { mutantOf } from './support/mutant.js';
import { Arena, Violation, World } from './support/world.js';

const arena = new Arena();
const SCAN_BATCH = 10;
/** Several segments of the index, which a scan takes one by one. */
const SCAN_KEYS = 600;

/** Until so many flushes of the database are under way. */
async function underWay(world: World, flushes = 1): Promise<void> {
  while (world.database.count < flushes)
    if (world.hasWorkerWork) await world.work();
    else if (world.hasEngineWork) await world.engine();
    else await world.wait();
}

async function cameWhole(world: World): Promise<void> {
  await world.quiesce();
  while (world.late.length > 0) await world.arrive();
  await world.requireWhole();
}

for (const isCarriedOut of [true, false])
  t.test(
    `WB-52: the persistence thread dies with a batch in flight, which is ${isCarriedOut ? '' : 'not '}carried out`,
    async (t) => {
      const world = await World.begin({ arena });
      await world.change({ key: 'a', ms: 1 });
      await world.change({ key: 'b', ms: 1, isSafe: true });
      await underWay(world);
      const [first] = world.database.keysOf(0);
      await world.killThread();
      await world.change({ key: first, ms: 2 });
      if (isCarriedOut) await world.arrive();
      else world.late.length = 0;
      t.equal(world.released.length, 0, 'nobody has told of the batch');
      await underWay(world);
      t.same(world.database.keysOf(0), ['a', 'b'], 'all of it again');
      await world.commit();
      await cameWhole(world);
      t.equal(world.released.length, 1);
    },
  );

for (const carriedOut of [[], [0], [1], [1, 0]])
  t.test(
    `WB-52: the persistence thread dies with two batches in flight, of which ${carriedOut.length} are carried out: ${carriedOut}`,
    async (t) => {
      const world = await twoInFlight();
      await world.killThread();
      for (const flush of carriedOut) await world.arrive(Math.min(flush, world.late.length - 1));
      world.late.length = 0;
      t.equal(world.released.length, 0, 'nobody has told of them');
      await underWay(world);
      t.same(world.database.keysOf(0), ['a', 'b'], 'all of it again');
      await cameWhole(world);
      t.equal(world.released.length, 2);
    },
  );

/** A SAFE write of each of two keys in a batch of its own. */
async function twoInFlight(): Promise<World> {
  const world = await World.begin({ arena });
  await world.change({ key: 'a', ms: 1, isSafe: true });
  await underWay(world);
  await world.change({ key: 'b', ms: 1, isSafe: true });
  await underWay(world, 2);
  return world;
}

t.test(
  'WB-53: the first batch of a scan fails: the next one begins at the beginning',
  async (t) => {
    const world = await World.begin({ arena, batchRecords: SCAN_BATCH });
    const first = await scanThatFails(world);
    await underWay(world);
    t.same(world.database.keysOf(0), first);
    await cameWhole(world);
  },
);

for (const failing of [0, 1])
  t.test(
    `WB-53: a scan has two batches in flight, and number ${failing} fails: all that is not flushed comes again`,
    async (t) => {
      const world = await World.begin({ arena, batchRecords: SCAN_BATCH });
      await overrun(world);
      await underWay(world);
      await world.change({ key: 'safe', ms: 1, isSafe: true });
      await underWay(world, 2);
      const [first, second] = [world.database.keysOf(0), world.database.keysOf(1)];
      t.ok(second.includes('safe') && second.length > 1, 'it goes on in the second');
      t.notOk(second.some((key) => first.includes(key)));
      if (failing === 1) await world.commit(0);
      await world.fail(0);
      if (failing === 0) await world.commit(0);
      await underWay(world);
      const again = world.database.keysOf(0).filter((key) => key !== 'safe');
      t.ok(
        again.every((key) => first.includes(key)),
        'from the beginning',
      );
      await cameWhole(world);
      t.equal(world.released.length, 1);
    },
  );

t.test('WB-53: a scan that went on where it stood would lose records', async (t) => {
  const build = await mutantOf('mutant-scan', {
    package: 'worker',
    file: 'persistence-queue.js',
    replacements: [
      [
        '            this.#scanAt[partition] = 0;\n        }\n        const',
        '        }\n        const',
      ],
      ['this.#round.restart(', 'if (attempts++ === 0) this.#round.restart('],
      ['const SLICE_RECORDS', 'let attempts = 0;\nconst SLICE_RECORDS'],
    ],
  });
  const world = await World.begin({ arena, build, batchRecords: SCAN_BATCH });
  await scanThatFails(world);
  const error = await cameWhole(world).catch((reason: unknown) => reason);
  t.ok(error instanceof Violation, String(error));
});

/** Resolves with the keys of the failed batch. */
async function scanThatFails(world: World): Promise<string[]> {
  await overrun(world);
  await underWay(world);
  const first = world.database.keysOf(0);
  if (first.length >= SCAN_KEYS) throw new Error('the first batch has everything');
  await world.fail();
  return first;
}

t.test('WB-55: a scan comes to its end although no batch can take a segment of it', async (t) => {
  const world = await World.begin({ arena, batchRecords: 1 });
  await overrun(world);
  await cameWhole(world);
  t.equal(world.place.rows.size, SCAN_KEYS);
});

t.test('WB-54: a commit of an earlier attempt arrives late and changes nothing', async (t) => {
  const world = await World.begin({ arena });
  await world.change({ key: 'a', ms: 1, isSafe: true });
  await underWay(world);
  await world.delay();
  await world.change({ key: 'a', ms: 2, isRemoval: true, isSafe: true });
  await world.quiesce();
  t.equal(world.released.length, 2, 'both are in the table, the first as a newer one');
  const before = [...world.place.rows.values()];
  t.match(before, [{ ms: 2, deleted: true }]);
  await world.arrive();
  t.same([...world.place.rows.values()], before);
  await cameWhole(world);
});

t.test('WB-54: the second of two batches arrives late, and then the first', async (t) => {
  const world = await World.begin({ arena });
  for (const ms of [1, 2]) {
    await world.change({ key: 'a', ms, isSafe: true });
    await underWay(world, ms);
  }
  await world.delay(0);
  await world.delay(0);
  await world.change({ key: 'a', ms: 3, isRemoval: true, isSafe: true });
  await world.quiesce();
  t.equal(world.released.length, 3);
  const before = [...world.place.rows.values()];
  t.match(before, [{ ms: 3, deleted: true }]);
  await world.arrive(1);
  await world.arrive(0);
  t.same([...world.place.rows.values()], before);
  await cameWhole(world);
});

/** So many changes of one partition that the journal has lost the first. */
async function overrun(world: World): Promise<void> {
  const keys = keysOfOnePartition(SCAN_KEYS);
  for (let ms = 1; ms <= JOURNAL_ENTRIES + SCAN_KEYS; ms++)
    await world.change({ key: keys[ms % keys.length], ms });
}

function keysOfOnePartition(count: number): string[] {
  const keys: string[] = [];
  for (let i = 0; keys.length < count; i++)
    if (partitionOf(hashOf(Buffer.from(`k${i}`))) === 7) keys.push(`k${i}`);
  return keys;
}
