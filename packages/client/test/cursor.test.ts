import { test } from 'tap';
import { Cursor, type CursorFields } from '#lib/cursor.js';

const STORE = 5n;

function plain(fields: CursorFields | undefined): unknown {
  if (fields === undefined) return undefined;
  const { epoch, delivered, seen } = fields;
  return [Number(epoch), Object.fromEntries(delivered), Object.fromEntries(seen)];
}

test('CLIENT-108: the cursor moves by Progress alone; before the first there is none', (t) => {
  const cursor = new Cursor();
  t.equal(cursor.welcome({ store: STORE, epoch: 3n }), 'none');
  cursor.see(1, 10);
  t.equal(cursor.fields, undefined);
  cursor.move(
    new Map([
      [1, 8],
      [2, 5],
    ]),
  );
  t.same(plain(cursor.fields), [3, { 1: 8, 2: 5 }, { 1: 10 }]);
  cursor.move(new Map([[1, 12]]));
  t.same(plain(cursor.fields), [3, { 1: 12, 2: 5 }, {}]);
  t.equal(cursor.welcome({ store: STORE, epoch: 3n }), 'holds');
  t.equal(cursor.fields?.store, STORE);
  t.end();
});

test('CLIENT-109: seen is the highest sequence of each partition, where above delivered', (t) => {
  const cursor = new Cursor();
  cursor.welcome({ store: STORE, epoch: 3n });
  cursor.move(new Map([[1, 8]]));
  for (const sequence of [9, 11, 10]) cursor.see(1, sequence);
  cursor.see(2, 1);
  cursor.see(3, 0); // a refused operation
  t.same(plain(cursor.fields), [3, { 1: 8 }, { 1: 11, 2: 1 }]);
  t.end();
});

test('CLIENT-114: until the first Progress of a new epoch both epochs’ sequences are seen', (t) => {
  const cursor = new Cursor();
  cursor.welcome({ store: STORE, epoch: 3n });
  cursor.move(
    new Map([
      [1, 8],
      [2, 2],
    ]),
  );
  cursor.see(1, 20);
  t.equal(cursor.welcome({ store: STORE, epoch: 4n }), 'holds');
  cursor.see(1, 9);
  cursor.see(2, 7);
  t.same(plain(cursor.fields), [3, { 1: 8, 2: 2 }, { 1: 20, 2: 7 }]);
  cursor.move(new Map([[1, 6]]));
  t.same(plain(cursor.fields), [4, { 1: 6, 2: 2 }, { 1: 9, 2: 7 }], 'then only the new one’s');
  t.end();
});

test('CLIENT-111: another store, or an epoch set back, makes the cursor void', (t) => {
  for (const welcome of [
    { store: 6n, epoch: 3n },
    { store: STORE, epoch: 2n },
  ]) {
    const cursor = new Cursor();
    cursor.welcome({ store: STORE, epoch: 3n });
    cursor.move(new Map([[1, 8]]));
    cursor.see(1, 9);
    t.equal(cursor.welcome(welcome), 'void');
    t.equal(cursor.fields, undefined);
    cursor.move(new Map([[2, 1]]));
    t.same(plain(cursor.fields), [Number(welcome.epoch), { 2: 1 }, {}]);
  }
  t.end();
});
