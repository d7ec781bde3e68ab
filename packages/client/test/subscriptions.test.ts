import { Code } from '@tidewire/core';
import { test } from 'tap';
import type { EntryEvent } from '#lib/event.js';
import type { Subscription } from '#lib/subscription.js';
import { connected, reconnect, rejectionOf } from './connected.js';
import { settled } from './fake-environment.js';
import { asked, events, gone, live, progress, put } from './frames.js';

test('CLIENT-40: a subscriber hears puts and removes of its topics, others’ not', async (t) => {
  const { client, environment } = await connected();
  const heard: EntryEvent<{ n: number }>[] = [];
  const map = client.map<{ n: number }>('scores');
  const opening = map.subscribe((event) => heard.push(event));
  await settled();
  t.match(environment.socket.bodies('subscribe'), [{ value: { map: 'scores', key: '' } }]);
  live(environment, 1, 77);
  const subscription = await opening;
  t.match(subscription, { map: 'scores', key: undefined });
  events(environment, 77, put('foo', 4), gone('foo', 5));
  events(environment, 78, put('foo', 6));
  t.equal(heard.length, 2);
  t.match(heard[0], {
    kind: 'put',
    key: 'foo',
    value: { n: 4 },
    stamp: { ms: 5_000_000, counter: 4, node: 9 },
    sequence: 4,
    partition: 85,
  });
  t.match(heard[1], { kind: 'remove', key: 'foo', storedAs: 'none' });
  t.equal(heard[1].value, undefined);
});

test('CLIENT-41: subscriptions may share a topic; after close nothing is delivered', async (t) => {
  const { client, environment } = await connected();
  const heard: string[] = [];
  const map = client.map('m');
  const opening = [
    map.subscribe(() => heard.push('map')),
    map.subscribe(() => heard.push('key'), { key: 'foo' }),
  ];
  await settled();
  live(environment, 1, 5);
  live(environment, 2, 5, 6);
  const [whole, key] = (await Promise.all(opening)) as [Subscription, Subscription];
  t.equal(key.key, 'foo');
  events(environment, 5, put('foo', 1));
  events(environment, 6, put('foo', 2));
  t.same(heard, ['map', 'key', 'key']);
  key.close();
  key.close();
  t.match(environment.socket.bodies('unsubscribe'), [{ value: { subscriptionId: 2 } }]);
  t.equal(environment.socket.bodies('unsubscribe').length, 1);
  events(environment, 5, put('foo', 3));
  whole.close();
  events(environment, 5, put('foo', 4));
  t.same(heard, ['map', 'key', 'key', 'map']);
});

test('FAN-9: events of several topics in one frame reach the subscriptions of each', async (t) => {
  const { client, environment } = await connected();
  const heard: string[] = [];
  const map = client.map('m');
  const opening = ['foo', 'bar'].map((name) =>
    map.subscribe(({ sequence }) => heard.push(`${name} ${sequence}`), { key: name }),
  );
  await settled();
  live(environment, 1, 5);
  live(environment, 2, 6);
  await Promise.all(opening);
  const groups = [
    { topic: 5, events: [put('foo', 1), put('foo', 2)] },
    { topic: 6, events: [put('bar', 3)] },
    { topic: 7, events: [put('baz', 4)] },
    { topic: 5, events: [gone('foo', 5)] },
  ];
  environment.socket.push({ case: 'eventGroups', value: { groups } });
  t.same(heard, ['foo 1', 'foo 2', 'bar 3', 'foo 5']);
});

test('CLIENT-42: after a lost connection subscriptions are asked for again, with new topics', async (t) => {
  const { client, environment } = await connected();
  const heard: string[] = [];
  const onGap = (): number => heard.push('gap');
  const opening = client.map('m').subscribe(({ key }) => heard.push(key), { onGap });
  await settled();
  live(environment, 1, 5);
  await opening;
  progress(environment, { 85: 3 });
  reconnect(environment);
  t.match(asked(environment), [{ subscriptionId: 1, map: 'm' }]);
  events(environment, 5, put('old topic', 4));
  t.same(heard, [], 'the topics of the earlier connection mean nothing');
  live(environment, 1, 9);
  events(environment, 9, put('new topic', 4));
  t.same(heard, ['new topic']);
});

test('CLIENT-43: a refused subscription rejects; a refused renewal ends it or is tried again', async (t) => {
  const { client, environment } = await connected();
  const ends: unknown[] = [];
  const map = client.map('m');
  const calls = [
    map.subscribe(() => {}),
    map.subscribe(() => {}, { onEnd: (error) => ends.push(error.code) }),
  ];
  await settled();
  const refuse = (code: Code, subscriptionId: number): void =>
    environment.socket.push({ case: 'error', value: { code, detail: '', subscriptionId } });
  refuse(Code.FORBIDDEN, 1);
  t.match(await rejectionOf(calls[0]), { code: Code.FORBIDDEN });
  live(environment, 2, 5);
  await calls[1];
  reconnect(environment);
  refuse(Code.OVERLOADED, 2);
  t.equal(client.state, 'reconnecting');
  environment.pass(10_000);
  environment.socket.welcome();
  refuse(Code.FORBIDDEN, 2);
  t.same([client.state, ends], ['connected', [Code.FORBIDDEN]]);
});

test('CLIENT-44: an unconfirmed subscription is given up and withdrawn; too many are refused', async (t) => {
  const { client, environment } = await connected(
    { subscriptionsMax: 1 },
    { operationTimeoutMs: 100 },
  );
  const map = client.map('m');
  const call = map.subscribe(() => {});
  await settled();
  t.match(await rejectionOf(map.subscribe(() => {})), { code: Code.TOO_LARGE });
  environment.pass(100);
  t.match(await rejectionOf(call), { code: Code.UNAVAILABLE });
  t.equal(environment.socket.bodies('unsubscribe').length, 1);
  live(environment, 1, 5);
  t.equal(client.state, 'connected', 'a late confirmation is no fault');
});

test('CLIENT-45: what a handler throws is reported, and the others still hear the event', async (t) => {
  const { client, environment } = await connected();
  const trouble = new Error('handler');
  const heard: unknown[] = [];
  const ends: unknown[] = [];
  const opening = [
    client.map('m').subscribe(() => {
      throw trouble;
    }),
    client.map('m').subscribe((event) => heard.push(event.key), { onEnd: (e) => ends.push(e) }),
  ];
  await settled();
  live(environment, 1, 5);
  live(environment, 2, 5);
  await Promise.all(opening);
  events(environment, 5, put('foo', 1));
  t.same([environment.reported, heard], [[trouble], ['foo']]);
  client.close();
  t.match(ends, [{ code: Code.UNAVAILABLE }]);
});
