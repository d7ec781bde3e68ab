import { Code } from '@tidewire/core';
import { EventKind, StartFrom } from '@tidewire/schemas';
import { test } from 'tap';
import { where } from '#lib/query-builder.js';
import { connected, reconnect, rejectionOf } from './connected.js';
import { settled } from './fake-environment.js';
import { asked, catchUp, events, gone, live, progress, put, snapshot } from './frames.js';

interface User {
  readonly n: number;
}

test('CLIENT-120: a live view has all that stands, follows changes and reads like a Map', async (t) => {
  const { client, environment } = await connected();
  const opening = client.map<User>('m').live({ where: where<User>((user) => user.n.gt(0)) });
  await settled();
  t.match(asked(environment), [
    { start: StartFrom.SNAPSHOT, where: { test: { case: 'gt' } }, withOld: false },
  ]);
  live(environment, 1, 5);
  catchUp(environment, 1, [snapshot([put('a', 1), put('b', 2)], { ends: false })], {});
  await settled();
  catchUp(environment, 1, [snapshot([put('c', 3)], { begins: false })]);
  const view = await opening;
  t.same([view.size, view.has('a'), view.get('c')?.value], [3, true, { n: 3 }]);
  const heard: unknown[] = [];
  const end = view.onChange((key, entry) =>
    heard.push([key, entry?.value, view.get(key) === entry]),
  );
  events(environment, 5, put('a', 4, { kind: EventKind.UPDATE }));
  events(environment, 5, gone('b', 5, { kind: EventKind.LEAVE }));
  end();
  events(environment, 5, put('d', 6, { kind: EventKind.ENTER }));
  t.same(heard, [
    ['a', { n: 4 }, true],
    ['b', undefined, true],
  ]);
  t.same([...view.keys()], ['a', 'c', 'd']);
  t.same(
    [...view].map(([key, entry]) => [key, entry.sequence]),
    [...view.values()].map(({ key, sequence }) => [key, sequence]),
  );
  view.close();
  events(environment, 5, gone('a', 7));
  t.equal(view.size, 3);
});

test('CLIENT-121: a live view outlives connections; what was lost is taken out of it', async (t) => {
  const { client, environment } = await connected();
  const told: string[] = [];
  const opening = client.map<User>('m').live({
    key: 'a',
    onGap: () => told.push('gap'),
    onEnd: ({ name }) => told.push(name),
  });
  await settled();
  live(environment, 1, 5);
  catchUp(environment, 1, [snapshot([put('a', 4)])]);
  const view = await opening;
  progress(environment, { 85: 4 });
  reconnect(environment);
  t.equal(view.get('a')?.sequence, 4);
  live(environment, 1, 6);
  catchUp(environment, 1, [snapshot([put('a', 3)])]);
  t.same([view.get('a')?.sequence, told], [3, ['gap']]);
  client.close();
  t.same([view.size, told], [1, ['gap', 'UNAVAILABLE']]);
});

test('CLIENT-122: a live view that cannot be filled rejects; a throwing listener disturbs nobody', async (t) => {
  const { client, environment } = await connected();
  const map = client.map<User>('m');
  const both = map.live({ key: 'a', where: (user) => user.n.gt(1) });
  t.match(await rejectionOf(both), { code: Code.INVALID });
  const refused = map.live();
  const ended = map.live();
  const fine = map.live();
  await settled();
  const refuse = (code: Code, subscriptionId: number): void =>
    environment.socket.push({ case: 'error', value: { code, detail: '', subscriptionId } });
  refuse(Code.FORBIDDEN, 1);
  live(environment, 2, 5);
  refuse(Code.INVALID, 2);
  live(environment, 3, 6);
  catchUp(environment, 3, []);
  t.match(await rejectionOf(refused), { code: Code.FORBIDDEN });
  t.match(await rejectionOf(ended), { code: Code.INVALID });
  const view = await fine;
  const trouble = new Error('listener');
  const heard: string[] = [];
  view.onChange(() => {
    throw trouble;
  });
  view.onChange((key) => heard.push(key));
  events(environment, 6, put('a', 1));
  t.same([environment.reported, heard, view.size], [[trouble], ['a'], 1]);
});
