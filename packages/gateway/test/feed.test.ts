import { StartFrom } from '@tidewire/schemas';
import t from 'tap';
import { TestBench } from './bench.js';
import type { FakeClient } from './fake-transport.js';
import { put, write } from './operations.js';

function valuesHeard(client: FakeClient): string[] {
  return client.events.map(({ value }) => Buffer.from(value).toString());
}

for (const maxHz of [0, 10])
  t.test(
    `CONN-28: whoever hears a topic hears each event once, alone or not (max_hz ${maxHz})`,
    async (t) => {
      const bench = new TestBench();
      const writer = bench.client(1);
      const [one, two, three] = [bench.client(2), bench.client(3), bench.client(4)];
      const watch = (client: FakeClient): void =>
        client.say({
          case: 'subscribe',
          value: { subscriptionId: 1, map: 'users', key: 'a', start: StartFrom.NOW, maxHz },
        });
      const leave = (client: FakeClient): void =>
        client.say({ case: 'unsubscribe', value: { subscriptionId: 1 } });
      const steps: (() => void)[] = [
        () => watch(one),
        () => watch(two),
        () => leave(one),
        () => watch(three),
        () => leave(two),
        () => leave(three),
        () => watch(one),
      ];
      for (const [i, step] of steps.entries()) {
        step();
        bench.settle();
        write(writer, put('a', `${i}`));
        bench.settle();
        bench.nowMs += 200;
        bench.settle();
        t.equal(one.topics.size > 0, i === 1, `alone nobody joins natively, step ${i}`);
      }
      t.same(valuesHeard(one), ['0', '1', '6']);
      t.same(valuesHeard(two), ['1', '2', '3']);
      t.same(valuesHeard(three), ['3', '4']);
      t.equal(two.topics.size + three.topics.size, 0, 'whoever leaves leaves natively');
    },
  );
