import { create } from '@bufbuild/protobuf';
import { EventKind, type SliceKind, SliceSchema } from '@tidewire/schemas';
import { test } from 'tap';
import { type Change, HeldRecords } from '#lib/held-records.js';
import { SALT } from './fake-socket.js';
import { changes, gone, hashOf, put, renewal, type SliceInit, snapshot } from './frames.js';

/** Takes slices and events for one subscription and says what was told, shortly. */
class Told {
  readonly held: HeldRecords;

  constructor(startsEmpty: boolean) {
    this.held = new HeldRecords({ startsEmpty });
  }

  slice(init: SliceInit): string[] {
    return this.held.takeSlice(create(SliceSchema, init), SALT).map(shortly);
  }

  event(event: Parameters<HeldRecords['takeEvent']>[0]): string | undefined {
    const change = this.held.takeEvent(event);
    return change && shortly(change);
  }
}

function shortly({ kind, key, event }: Change): string {
  return event ? `${kind} ${key} ${event.sequence}` : `${kind} ${key}`;
}

test('CLIENT-101: a state that comes twice, live and in a slice, is told once', (t) => {
  const told = new Told(true);
  t.equal(told.event(put('a', 4)), 'enter a 4');
  t.equal(told.event(put('a', 4)), undefined);
  t.same(told.slice(changes([put('a', 4), put('b', 3)])), ['enter b 3']);
  t.equal(told.event(put('b', 2)), undefined, 'older than what is held');
  t.same(told.slice(changes([put('a', 6), gone('b', 5)])), ['update a 6', 'leave b 5']);
  t.equal(told.event(gone('b', 5)), undefined);
  t.equal(told.event(put('b', 3)), undefined, 'what is gone has a sequence too');
  t.equal(told.event(put('b', 7)), 'enter b 7');
  t.equal(told.event(put('b', 1, { partition: 3 })), 'enter b 1', 'sequences are per partition');
  t.end();
});

test('CLIENT-101: a record that has expired is gone at its own sequence, and does not come back', (t) => {
  const told = new Told(false);
  told.event(put('a', 4));
  t.same(told.slice(changes([gone('a', 4)])), ['leave a 4']);
  t.equal(told.event(put('a', 4)), undefined, 'a late delivery');
  t.equal(told.event(gone('a', 4)), undefined);
  t.equal(told.event(gone('a', 9)), undefined, 'the sweep');
  t.end();
});

test('CLIENT-102: a SNAPSHOT replaces its partition, whatever the sequences', (t) => {
  const told = new Told(true);
  told.slice(snapshot([put('back', 90), put('same', 91), put('lost', 92)]));
  told.event(put('far', 5, { partition: 3 }));
  const first = snapshot([put('back', 40), put('same', 91)], { ends: false });
  t.same(told.slice(first), ['update back 40'], 'what was told before is not told again');
  t.equal(told.event(put('new', 93)), 'enter new 93', 'a live event between two slices');
  t.equal(told.event(gone('same', 94)), 'leave same 94');
  const last = snapshot([put('more', 41)], { begins: false });
  t.same(told.slice(last), ['enter more 41', 'leave lost']);
  t.equal(told.event(put('back', 40)), undefined, 'sequences compare again');
  t.equal(told.event(put('lost', 50)), 'enter lost 50');
  t.equal(told.event(put('far', 5, { partition: 3 })), undefined, 'others are not concerned');
  t.end();
});

test('CLIENT-124: a RENEWAL replaces its partition, and old records are no news to who began later', (t) => {
  const filled = new Told(true);
  filled.slice(snapshot([put('same', 40), put('lost', 41)]));
  t.same(filled.slice(renewal([put('same', 40), put('new', 42)])), ['enter new 42', 'leave lost']);
  t.equal(filled.event(put('lost', 43)), 'enter lost 43');
  const late = new Told(false);
  late.event(put('heard', 51));
  late.held.prune(85, 55);
  const slices = [put('old', 30), put('heard', 51), put('missed', 56)];
  t.same(late.slice(renewal(slices)), ['enter missed 56']);
  t.equal(late.event(put('old', 57)), 'update old 57', 'it is held since');
  t.same(late.slice(snapshot([put('other', 31)])), [
    'enter other 31',
    'leave heard',
    'leave old',
    'leave missed',
  ]);
  t.end();
});

test('CLIENT-102: while a SNAPSHOT comes, sequences from before it count for nothing', (t) => {
  const told = new Told(true);
  told.slice(snapshot([put('a', 90), put('b', 90)]));
  told.event(gone('c', 91));
  t.same(told.slice(snapshot([], { ends: false })), []);
  t.equal(told.event(put('a', 40)), 'update a 40');
  t.equal(told.event(put('c', 41)), 'enter c 41');
  t.equal(told.event(gone('b', 42)), 'leave b 42');
  t.equal(told.event(put('a', 39)), undefined, 'but those since then do');
  t.same(told.slice(snapshot([put('a', 40), put('c', 41)], { begins: false })), []);
  t.end();
});

test('CLIENT-103: a SNAPSHOT that is interrupted and begun again replaces what it had told', (t) => {
  const told = new Told(true);
  told.slice(snapshot([put('kept', 1), put('dropped', 2)], { ends: false }));
  t.same(told.slice(snapshot([put('kept', 1)], { ends: false })), []);
  t.same(told.slice(snapshot([put('new', 3)], { begins: false })), [
    'enter new 3',
    'leave dropped',
  ]);
  t.end();
});

test('CLIENT-104: a forgotten hash takes the key that has it away', (t) => {
  const told = new Told(true);
  told.slice(snapshot([put('a', 1), put('ä', 2), put('b', 3)]));
  told.event(put('a', 1, { partition: 3 }));
  const forgotten = [hashOf('ä'), hashOf('b', new Uint8Array(16)), hashOf('unknown')];
  t.same(told.slice(changes([put('c', 4)], { forgotten })), ['enter c 4', 'leave ä']);
  t.same(told.slice(changes([], { forgotten })), []);
  t.equal(told.event(gone('ä', 5, { kind: EventKind.LEAVE })), undefined, 'was told already');
  t.equal(told.event(put('ä', 6)), 'enter ä 6');
  t.same(told.slice(changes([], { forgotten: [hashOf('a')], partition: 3 })), ['leave a']);
  t.end();
});

test('CLIENT-105: without a snapshot the server’s word on unknown keys is passed on', (t) => {
  const now = new Told(false);
  t.equal(now.event(put('a', 1, { kind: EventKind.UPDATE })), 'update a 1');
  t.equal(now.event(put('b', 2, { kind: EventKind.ENTER })), 'enter b 2');
  t.equal(now.event(put('b', 3, { kind: EventKind.ENTER })), 'update b 3', 'a coalesced change');
  t.equal(now.event(gone('c', 4)), 'leave c 4');
  t.equal(now.event(gone('c', 5)), undefined, 'is known to be gone');
  const full = new Told(true);
  t.equal(full.event(put('a', 1, { kind: EventKind.UPDATE })), 'enter a 1');
  t.equal(full.event(gone('c', 4)), undefined, 'never stood');
  now.slice(changes([], { forgotten: [hashOf('a')] }));
  t.equal(now.event(gone('a', 6, { kind: EventKind.LEAVE })), undefined, 'was forgotten before');
  t.end();
});

test('CLIENT-106: what is gone is remembered until Progress says that it cannot come again', (t) => {
  const told = new Told(false);
  const { held } = told;
  told.event(gone('a', 4));
  told.event(gone('b', 6));
  held.prune(85, 4);
  held.prune(84, 9);
  t.equal(told.event(put('b', 5)), undefined);
  t.equal(told.event(gone('b', 6)), undefined);
  t.equal(told.event(put('a', 5)), 'enter a 5');
  t.same([held.sequenceOf('a'), held.sequenceOf('b'), held.sequenceOf('c')], [5, 6, 0]);
  t.end();
});

test('CLIENT-117: slices and events that break their rules are refused', (t) => {
  const bad = [
    (told: Told) => told.slice(snapshot([], { begins: false })),
    (told: Told) => told.slice(changes([], { kind: 7 as SliceKind })),
    (told: Told) => told.slice(changes([put('a', 1, { kind: 9 as EventKind })])),
    (told: Told) => told.event(put('a', 1, { kind: EventKind.UNSPECIFIED })),
  ];
  for (const give of bad) t.throws(() => give(new Told(true)), { name: 'INVALID' });
  t.end();
});
