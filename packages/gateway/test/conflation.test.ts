import { create, toBinary } from '@bufbuild/protobuf';
import { CONFLATED_TOPIC_BYTES_MAX, MAX_HZ_MAX, RATES_A_TOPIC_MAX } from '@tidewire/core';
import { interestIn } from '@tidewire/partition-worker/front';
import { EventKind, EventsSchema, StartFrom } from '@tidewire/schemas';
import t from 'tap';
import { Conflation } from '#lib/subscription/conflation.js';
import { mergedKind } from '#lib/subscription/merged-kind.js';
import { Topic } from '#lib/subscription/topic.js';
import { TestBench } from './bench.js';
import { put, remove, write } from './operations.js';
import { ReferenceClient } from './reference-client.js';
import { valuesOf } from './subscribers.js';

const { ENTER, UPDATE, LEAVE, PUT, REMOVE } = EventKind;

t.test(
  'SUB-42: with max_hz the latest state of each key comes, on whole parts of a second',
  async (t) => {
    const bench = new TestBench({ workers: 2 });
    const [writer, client] = [bench.client(1), bench.client(2)];
    client.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users', maxHz: 4 } });
    bench.settle();
    const heard: [number, string[]][] = [];
    let seen = 0;
    for (let ms = 0; ms < 2000; ms += 10) {
      if (ms < 1600) write(writer, put('a', `${ms}`), put('b', `${ms}`));
      if (ms === 1100) write(writer, remove('b'));
      bench.settle();
      const values = client.events.slice(seen).map(({ value }) => Buffer.from(value).toString());
      seen = client.events.length;
      if (values.length > 0) heard.push([ms, values]);
      bench.nowMs += 10;
    }
    t.same(
      heard.map(([ms]) => ms),
      [250, 500, 750, 1000, 1250, 1500, 1750],
    );
    t.same(
      heard[0][1],
      ['250', '250'].map(() => heard[0][1][0]),
    );
    for (const [ms, values] of heard.slice(0, -1))
      t.ok(values.every((value) => Number(value) >= ms - 10));
    t.same(heard.at(-1)?.[1], ['1590', '1590']);
  },
);

t.test(
  'SUB-43: subscribers of the same rate share a feed; others are not slowed down',
  async (t) => {
    const bench = new TestBench();
    const [writer, swift] = [bench.client(1), bench.client(2)];
    const slow = [bench.client(3), bench.client(4), bench.client(5)];
    swift.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users' } });
    for (const [i, client] of slow.entries())
      client.say({
        case: 'subscribe',
        value: { subscriptionId: 1, map: 'users', maxHz: i === 2 ? 20 : 10 },
      });
    bench.settle();
    const topics = slow.map((client) => client.last('subscribed')!.topics[0]);
    t.equal(topics[0], topics[1]);
    t.equal(new Set([...topics, swift.last('subscribed')!.topics[0]]).size, 3);
    for (let i = 0; i < 5; i++) write(writer, put('a', `${i}`));
    bench.settle();
    t.equal(swift.events.length, 5);
    t.equal(slow[0].events.length, 0);
    bench.nowMs += 50;
    bench.settle();
    t.same(
      [slow[0], slow[2]].map(({ events }) => events.length),
      [0, 1],
    );
    bench.nowMs += 50;
    bench.settle();
    t.same(
      slow.map(({ events }) => events.length),
      [1, 1, 1],
    );
    t.equal(bench.gateway.subscriptionCounts.conflated, 8);
    for (const client of slow) client.say({ case: 'unsubscribe', value: { subscriptionId: 1 } });
    t.equal(bench.gateway.subscriptionCounts.topics, 1);
  },
);

t.test('SUB-44: several changes of a key are told as what they come to', async (t) => {
  const cases: [EventKind, EventKind, EventKind][] = [
    [ENTER, UPDATE, ENTER],
    [ENTER, LEAVE, LEAVE],
    [ENTER, ENTER, ENTER], // entered, left, and entered again
    [UPDATE, UPDATE, UPDATE],
    [UPDATE, ENTER, UPDATE],
    [UPDATE, LEAVE, LEAVE],
    [LEAVE, ENTER, UPDATE],
    [LEAVE, LEAVE, LEAVE],
    [PUT, REMOVE, REMOVE],
    [REMOVE, PUT, PUT],
  ];
  for (const [first, last, merged] of cases) t.equal(mergedKind(first, last), merged);
});

t.test('SUB-45: what is held back goes out early before it grows too large', async (t) => {
  const bench = new TestBench();
  const [writer, client] = [bench.client(1), bench.client(2)];
  client.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users', maxHz: 1 } });
  bench.settle();
  const count = Math.ceil(CONFLATED_TOPIC_BYTES_MAX / 30_000) + 5;
  for (let i = 0; i < count; i++) {
    write(writer, put(`k${i}`, 'v'.repeat(30_000)));
    bench.settle();
  }
  t.ok(client.events.length > count / 2);
  bench.nowMs += 1000;
  bench.settle();
  t.same(
    client.events.map(({ key }) => key),
    Array.from({ length: count }, (_, i) => `k${i}`),
  );
});

t.test('SUB-46: a catch-up and what is held back make one history', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const writer = bench.client(1);
  const first = new ReferenceClient(bench, 2);
  first.follow(1, { map: 'users', maxHz: 1, start: StartFrom.SNAPSHOT });
  bench.settle();
  write(writer, put('a', '1'), put('b', '1'), put('c', '1'));
  bench.settle();
  const second = new ReferenceClient(bench, 3);
  second.follow(1, { map: 'users', maxHz: 1, start: StartFrom.SNAPSHOT });
  bench.settle();
  t.same(valuesOf(second, 1), { a: '1', b: '1', c: '1' });
  write(writer, remove('a'), put('b', '2'));
  bench.settle();
  second.disconnect();
  bench.second();
  bench.second();
  second.connect(bench);
  bench.settle();
  for (const client of [first, second]) t.same(valuesOf(client, 1), { b: '2', c: '1' });
});

t.test('SUB-51: what would be held while nobody hears any more is not held', async (t) => {
  const session = new TestBench().client(1).session;
  const topic = new Topic(1, interestIn(1, {}), [0]);
  const conflation: Conflation = new Conflation({
    nextId: () => 2,
    // The only hearer is suspended by what is published, as one that reads too slowly is.
    publish: () => conflation.leave(feed, session),
  });
  const feed = conflation.claim(topic, 1);
  feed.join(session);
  const value = new Uint8Array(30_000);
  for (let i = 0; feed.isHeard && i < 100; i++) {
    const events = [{ kind: PUT, partition: 1, sequence: BigInt(i + 1), key: `k${i}`, value }];
    const entry = toBinary(EventsSchema, create(EventsSchema, { events }));
    conflation.hold(topic.conflated!, entry, 0, entry.length);
  }
  t.notOk(feed.isHeard, 'so much was held that some had to go out early');
  t.same([feed.held.size, feed.heldBytes], [0, 0]);
});

t.test('SUB-52: one topic is heard at so many rates, and others are rounded down', async (t) => {
  const bench = new TestBench();
  const client = bench.client(1);
  const feeds = new Map<number, number>(); // by rate
  for (let rate = MAX_HZ_MAX; rate >= 1; rate--) {
    client.say({ case: 'subscribe', value: { subscriptionId: rate, map: 'users', maxHz: rate } });
    if (rate % 100 === 1) bench.settle();
  }
  for (const { body } of client.frames)
    if (body.case === 'subscribed') feeds.set(body.value.subscriptionId, body.value.topics[0]);
  t.equal(feeds.size, MAX_HZ_MAX, 'none is refused');
  t.equal(new Set(feeds.values()).size, RATES_A_TOPIC_MAX + 10);
  t.not(feeds.get(1000), feeds.get(999), 'the first ones are heard as they were asked for');
  t.equal(feeds.get(900), feeds.get(512), 'no further one is heard more often than that');
  for (const rate of [1, 2, 3, 4, 7, 8]) {
    const power = 2 ** Math.floor(Math.log2(rate));
    t.equal(feeds.get(rate), feeds.get(power), `${rate} is heard ${power} times a second`);
  }
});
