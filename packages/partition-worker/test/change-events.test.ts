import type { Predicate } from '@tidewire/core';
import { EventKind, ValueKind } from '@tidewire/schemas';
import t from 'tap';
import type { Said } from './said.js';
import { keysIn, StreamBench } from './stream-bench.js';
import { START_MS } from './worker-fixture.js';

const MAP_TOPIC = 2;
const ADULTS = 7;
const ADULTS_WITH_OLD = 8;
const [KEY] = keysIn(5, 1);
const age = { kind: 'value', steps: ['age'] } as const;
const adults: Predicate = { kind: 'ge', field: age, literal: 18 };
const aged = (years: number): string => JSON.stringify({ age: years });

function benchOfAdults(): StreamBench {
  const bench = new StreamBench();
  bench.subscribe(ADULTS, { where: adults });
  return bench;
}

/** Kind, topics, value and value before of the events said. */
function told(bench: StreamBench): string[] {
  return bench.listen().map((said: Said) => {
    if (said.kind !== 'event') return said.kind;
    const { kind, value, oldValue } = said.event;
    const texts = [value, oldValue].map((bytes) => Buffer.from(bytes).toString());
    return [EventKind[kind], said.topics.toSorted().join(), ...texts].join(' ').trim();
  });
}

t.test(
  'CQ-1: a topic is told of a change by whether its predicate held before and holds after',
  async (t) => {
    const bench = benchOfAdults();
    bench.put(KEY, aged(17));
    t.same(told(bench), [], 'not before, not after');
    bench.put(KEY, aged(18));
    t.same(told(bench), ['ENTER 7 {"age":18}']);
    bench.put(KEY, aged(19));
    t.same(told(bench), ['UPDATE 7 {"age":19}']);
    bench.put(KEY, aged(3));
    t.same(told(bench), ['LEAVE 7'], 'without the value');
    bench.put(KEY, aged(20));
    bench.remove(KEY);
    t.same(told(bench), ['ENTER 7 {"age":20}', 'LEAVE 7']);
    bench.remove(KEY);
    bench.put(KEY, aged(2), { ms: -5 });
    t.same(told(bench), [], 'a tombstone matches nothing, and a stale write is no change');
  },
);

t.test('CQ-2: what is not JSON in UTF-8 has no fields', async (t) => {
  const bench = benchOfAdults();
  bench.subscribe(9, { where: { kind: 'exists', field: { kind: 'value', steps: [] } } });
  bench.put(KEY, aged(18), { valueKind: ValueKind.BYTES });
  bench.put(KEY, '{"age":18');
  bench.put(KEY, Uint8Array.of(0x22, 0xff, 0x22));
  bench.put(KEY, '');
  t.same(told(bench), []);
  bench.put(KEY, '"\ufffd"');
  t.same(told(bench), ['ENTER 9 "\ufffd"'], 'a replacement character that was written is text');
  bench.put(KEY, aged(30));
  bench.put(KEY, aged(18), { valueKind: ValueKind.BYTES });
  t.same(told(bench), ['ENTER 7 {"age":30}', 'UPDATE 9 {"age":30}', 'LEAVE 7,9']);
});

t.test('CQ-3: the value before comes with UPDATE and LEAVE where it was asked for', async (t) => {
  const bench = benchOfAdults();
  bench.subscribe(ADULTS_WITH_OLD, { where: adults, isWithOld: true });
  bench.put(KEY, aged(1));
  bench.put(KEY, aged(18));
  t.same(told(bench), ['ENTER 7,8 {"age":18}'], 'what did not match is not shown');
  bench.put(KEY, aged(19));
  t.same(told(bench), ['UPDATE 7 {"age":19}', 'UPDATE 8 {"age":19} {"age":18}']);
  bench.put(KEY, aged(3));
  t.same(told(bench), ['LEAVE 7', 'LEAVE 8  {"age":19}']);
});

t.test(
  'CQ-4: an expired record that nobody was told of still counts as the one before',
  async (t) => {
    const bench = benchOfAdults();
    const expired = { expiresAt: START_MS };
    bench.put(KEY, aged(18), { expiresAt: START_MS + 1 });
    bench.put(KEY, aged(19), expired);
    t.same(told(bench), ['ENTER 7 {"age":18}', 'LEAVE 7'], 'expired after: it is gone');
    bench.put(KEY, aged(20));
    t.same(told(bench), ['UPDATE 7 {"age":20}'], 'expired before: not told yet');
    bench.put(KEY, aged(21), expired);
    bench.put(KEY, aged(3));
    t.same(told(bench), ['LEAVE 7', 'LEAVE 7']);
  },
);

t.test('CQ-5: all events of a change follow each other, the first of them marked', async (t) => {
  const bench = benchOfAdults();
  bench.subscribe(MAP_TOPIC);
  bench.subscribe(3, { key: KEY });
  bench.subscribe(ADULTS_WITH_OLD, { where: adults, isWithOld: true });
  bench.subscribe(9, { where: { kind: 'lt', field: age, literal: 18 } });
  bench.put(KEY, aged(18));
  bench.listen();
  bench.put(KEY, aged(19));
  const said = bench.listen().filter((item) => item.kind === 'event');
  t.same(
    said.map(({ isFirst, topics, event }) => [isFirst, topics, EventKind[event.kind]]),
    [
      [true, [2, 3], 'PUT'],
      [false, [7], 'UPDATE'],
      [false, [8], 'UPDATE'],
    ],
  );
  t.ok(said.every(({ event }) => event.sequence === 2n));
  bench.unsubscribe(MAP_TOPIC);
  bench.unsubscribe(3);
  bench.put(KEY, aged(3));
  t.same(
    bench.listen().map((item) => item.kind === 'event' && [item.isFirst, item.topics]),
    [
      [true, [9]],
      [false, [7]],
      [false, [8]],
    ],
  );
});

t.test(
  'CQ-6: a change that concerns more topics than a ring record holds makes several',
  async (t) => {
    const TOPICS = 40_000; // a record of the ring holds 32,768 words
    const bench = benchOfAdults();
    const last = 100 + TOPICS;
    for (let topic = 100; topic < last; topic++) bench.subscribe(topic, { where: adults });
    bench.put(KEY, aged(18));
    const said = bench.listen().filter((item) => item.kind === 'event');
    t.same(
      said.map(({ isFirst }) => isFirst),
      [true, false],
    );
    t.same(
      said.flatMap(({ topics }) => topics).toSorted((a, b) => a - b),
      [ADULTS, ...Array.from({ length: TOPICS }, (_, i) => 100 + i)],
    );
    for (let topic = 100; topic < last; topic++) bench.unsubscribe(topic);
    bench.put(KEY, aged(19));
    t.same(told(bench), ['UPDATE 7 {"age":19}']);
  },
);
