import t from 'tap';
import { MAP_BYTES_MAX, MAPS_LENT_MAX, MAPS_MAX } from '#lib/limits.js';
import { MAP_TABLE_BYTES, MAPS_FULL, MAPS_LENT, MapTable, NO_MAP } from '#lib/memory/map-table.js';
import { hashOf } from '#lib/partition-hash.js';
import { SEED, SeededRandom } from './seeded-random.js';

const buffer = (): SharedArrayBuffer => new SharedArrayBuffer(MAP_TABLE_BYTES);

function register(table: MapTable, name: string): number {
  const bytes = Buffer.from(`..${name}..`);
  return table.register(bytes, 2, Buffer.byteLength(name));
}

function lend(table: MapTable, name: string): number {
  return table.lend(Buffer.from(name), 0, Buffer.byteLength(name));
}

function idOf(table: MapTable, name: string): number {
  return table.idOf(Buffer.from(`.${name}`), 1, Buffer.byteLength(name));
}

t.test('RING-10: a map keeps the id it was given first', async (t) => {
  const table = new MapTable(buffer());
  t.equal(idOf(table, 'users'), NO_MAP);
  const names = ['users', 'user', 'users2', 'u', '日本', 'x'.repeat(MAP_BYTES_MAX)];
  names.forEach((name, id) => {
    t.equal(register(table, name), id);
  });
  names.forEach((name, id) => {
    t.equal(register(table, name), id);
    t.equal(idOf(table, name), id);
    t.equal(table.nameOf(id), name);
  });
  t.equal(table.count, names.length);
  t.throws(() => table.nameOf(names.length));
  t.throws(() => register(table, 'x'.repeat(MAP_BYTES_MAX + 1)));
});

/** Two names, one the beginning of the other, whose lookups begin at the same place. */
function collidingPrefix(): [string, string] {
  for (let i = 0; ; i++) {
    const name = `map-${i}`;
    const longer = `${name}x`;
    const distance = hashOf(Buffer.from(name)) ^ hashOf(Buffer.from(longer));
    if ((distance & (2 * MAPS_MAX - 1)) === 0) return [name, longer];
  }
}

t.test('RING-10: a name is not another that begins with it', async (t) => {
  const [name, longer] = collidingPrefix();
  for (const names of [
    [name, longer],
    [longer, name],
  ]) {
    const table = new MapTable(buffer());
    t.equal(register(table, names[0]), 0);
    t.equal(idOf(table, names[1]), NO_MAP);
    t.equal(register(table, names[1]), 1);
    t.equal(idOf(table, names[0]), 0);
  }
});

t.test('RING-10: another thread’s table learns what is registered later', async (t) => {
  const shared = buffer();
  const writer = new MapTable(shared);
  const reader = new MapTable(shared);
  t.equal(idOf(reader, 'a'), NO_MAP);
  register(writer, 'a');
  t.equal(idOf(reader, 'a'), 0);
  register(writer, 'b');
  t.equal(reader.nameOf(1), 'b');
  t.equal(new MapTable(shared).nameOf(0), 'a');
});

t.test('RING-10: a full table refuses new maps and keeps the old ones', async (t) => {
  const table = new MapTable(buffer());
  let id = 0;
  for (; id < MAPS_MAX; id++) if (register(table, `map-${id}`) !== id) break;
  t.equal(id, MAPS_MAX);
  t.equal(register(table, 'one more'), MAPS_FULL);
  t.equal(idOf(table, 'one more'), NO_MAP);
  t.equal(register(table, `map-${MAPS_MAX - 1}`), MAPS_MAX - 1);
});

t.test('RING-14: an id is lent until somebody writes, and has one name at a time', async (t) => {
  t.comment(`seed ${SEED}`);
  const random = new SeededRandom(SEED);
  const shared = buffer();
  const table = new MapTable(shared);
  const [written, lent] = [new Map<string, number>(), new Map<string, number>()];
  for (let i = 0; i < 50_000; i++) {
    const name = `map-${random.below(2000)}`;
    const known = written.get(name) ?? lent.get(name);
    const id = random.below(100) === 0 ? register(table, name) : lend(table, name);
    if (known !== undefined && id !== known) t.fail(`${name} has ${id} and had ${known}`);
    if (table.idOf(Buffer.from(name), 0, name.length) !== NO_MAP) {
      written.set(name, id);
      lent.delete(name);
    } else lent.set(name, id);
    if (lent.size > 500 || (lent.size > 0 && random.below(2) === 0)) {
      const [leaving, leavingId] = [...lent][random.below(lent.size)];
      lent.delete(leaving);
      table.giveBack(leavingId);
    }
  }
  const names = [...written, ...lent];
  t.ok(written.size > 200 && lent.size > 0, 'there were some of both');
  t.equal(new Set(names.map(([, id]) => id)).size, names.length, 'no id has two names');
  t.ok(written.size + 501 >= table.count, 'ids serve again');
  const reader = new MapTable(shared);
  for (const [name, id] of names) {
    if (reader.nameOf(id) !== name) t.equal(reader.nameOf(id), name);
    if (idOf(table, name) !== (written.get(name) ?? NO_MAP)) t.fail(`${name} is not found`);
    if (lend(table, name) !== id) t.fail(`${name} lost its id`);
  }
});

t.test('RING-14: an id is lent to writers until one of them has written', async (t) => {
  const table = new MapTable(buffer());
  const lendToWriter = (name: string): number =>
    table.lendToWriter(Buffer.from(name), 0, name.length);
  t.equal(lendToWriter('a'), 0);
  t.equal(idOf(table, 'a'), 0, 'while a write is under way it may be read');
  table.giveBackByWriter(0);
  t.equal(idOf(table, 'a'), NO_MAP);
  t.equal(table.nameOf(0), 'a');
  t.equal(lendToWriter('b'), 0, 'its id is free');
  t.equal(table.nameOf(0), 'b', 'and has the new name');
  t.equal(lend(table, 'b'), 0);
  table.giveBackByWriter(0);
  t.equal(idOf(table, 'b'), NO_MAP);
  t.equal(lendToWriter('b'), 0, 'who watches it still has it');
  table.giveBack(0);
  t.equal(idOf(table, 'b'), 0, 'and so has who writes it');
  table.keep(0);
  table.giveBackByWriter(0);
  t.equal(idOf(table, 'b'), 0, 'written, it is given back by nobody');
  for (let id = 1; id <= MAPS_LENT_MAX; id++) lend(table, `watched-${id}`);
  t.equal(lend(table, 'one more'), MAPS_LENT);
  t.equal(lendToWriter('one more'), MAPS_LENT_MAX + 1, 'writers are not counted with watchers');
  t.equal(lend(table, 'one more'), MAPS_LENT);
});

t.test('RING-14: maps that are only watched get half of the ids', async (t) => {
  const table = new MapTable(buffer());
  for (let id = 0; id < MAPS_LENT_MAX; id++)
    t.equal(lend(table, `watched-${id}`), id) || t.bailout();
  t.equal(lend(table, 'one more'), MAPS_LENT);
  for (let id = MAPS_LENT_MAX; id < MAPS_MAX; id++)
    t.equal(register(table, `map-${id}`), id) || t.bailout();
  t.equal(register(table, 'one more'), MAPS_FULL);
  table.giveBack(7);
  t.equal(register(table, 'one more'), 7, 'what was given back is for all');
});
