import { inspect } from 'node:util';
import { test } from 'tap';
import { Entry, type EntryFields } from '#lib/entry.js';
import { EntryEvent, QueryEvent } from '#lib/event.js';

const FIELDS: EntryFields = {
  key: 'k',
  bytes: new TextEncoder().encode('{"n":1}'),
  kind: 'json',
  stamp: { ms: 5, counter: 0, node: 1 },
  partition: 3,
  sequence: 9,
  expiresAtMs: 0,
};
const { bytes: _, kind: __, ...PLAIN } = FIELDS;
const NOTHING = { bytes: new Uint8Array(0), kind: 'none' } as const;

test('CLIENT-168: an entry prints, and becomes JSON, with its value and not with bytes', (t) => {
  const shown = { ...PLAIN, value: { n: 1 } };
  t.same(JSON.parse(JSON.stringify(new Entry(FIELDS))), shown);
  t.equal(inspect(new Entry(FIELDS)), inspect(new Entry(FIELDS).toJSON()));
  t.same(JSON.parse(JSON.stringify(new EntryEvent('put', FIELDS))), { kind: 'put', ...shown });
  const event = new QueryEvent('update', FIELDS, { ...FIELDS, kind: 'json' });
  t.same(event.toJSON(), { kind: 'update', ...shown, previous: { n: 1 } });
  t.same(new QueryEvent('enter', FIELDS, NOTHING).toJSON(), {
    kind: 'enter',
    ...shown,
    previous: undefined,
  });
  t.end();
});

test('CLIENT-169: one whose value is no JSON prints its bytes', (t) => {
  const broken = new Entry({ ...FIELDS, bytes: new Uint8Array([0x7b]) });
  t.match(inspect(broken), /Uint8Array\(1\) \[ 123 \]/);
  t.end();
});
