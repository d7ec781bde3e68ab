import { create, toBinary } from '@bufbuild/protobuf';
import { EventMessage, OutboundKind, RecordLayout, RingProducer } from '@tidewire/core/threads';
import { EventKind, EventsSchema } from '@tidewire/schemas';
import t from 'tap';
import { TestBench } from './bench.js';

interface Said {
  readonly sequence: number;
  readonly key: string;
  readonly topics: number[];
  readonly isFirst: boolean;
}

/** Says EVENT records as a worker does, in the place of one. */
function say(producer: RingProducer, ...records: Said[]): void {
  for (const { sequence, key, topics, isFirst } of records) {
    const event = { kind: EventKind.PUT, partition: 5, sequence: BigInt(sequence), key };
    const bytes = toBinary(EventsSchema, create(EventsSchema, { events: [event] }));
    const offset = EventMessage.TOPICS + topics.length;
    const at = producer.claim(OutboundKind.EVENT, offset + RecordLayout.wordsOf(bytes.length));
    const { words } = producer;
    words[at + EventMessage.PARTITION] = 5;
    words[at + EventMessage.SEQUENCE_LOW] = sequence;
    words[at + EventMessage.SEQUENCE_HIGH] = 0;
    words[at + EventMessage.BYTES] = bytes.length;
    words[at + EventMessage.FIRST] = isFirst ? 1 : 0;
    words[at + EventMessage.TOPIC_COUNT] = topics.length;
    words.set(topics, at + EventMessage.TOPICS);
    new Uint8Array(words.buffer).set(bytes, (at + offset) * 4);
  }
  producer.commit();
}

t.test(
  'SUB-49: a change that is said again after a death is dropped with all its records',
  async (t) => {
    const bench = new TestBench();
    const client = bench.client();
    for (const [i, key] of ['', 'k'].entries())
      client.say({ case: 'subscribe', value: { subscriptionId: i + 1, map: 'users', key } });
    bench.settle();
    const topics = client.frames.flatMap(({ body }) =>
      body.case === 'subscribed' ? body.value.topics : [],
    );
    const producer = new RingProducer(bench.memory.workers[0].outboundRing);
    const first = (sequence: number): Said => {
      return { sequence, key: `map${sequence}`, topics: [topics[0]], isFirst: true };
    };
    const sibling = (sequence: number): Said => {
      return { sequence, key: `key${sequence}`, topics: [topics[1]], isFirst: false };
    };
    const twin = (sequence: number): Said => ({ ...sibling(sequence), topics: [topics[0]] });
    say(producer, first(1), sibling(1), twin(1), first(2), sibling(2));
    // A worker that starts anew says the last change again, or the last two, then goes on.
    say(producer, first(2), sibling(2), first(3), sibling(3));
    say(producer, first(2), sibling(2), first(3), sibling(3), twin(3), first(4));
    bench.gateway.doWork();
    bench.gateway.flush();
    const heard = (topic: number): string[] =>
      client.groups
        .filter((group) => group.topic === topic)
        .flatMap(({ events }) => events.map(({ key }) => key));
    t.same(heard(topics[0]), ['map1', 'key1', 'map2', 'map3', 'map4']);
    t.same(heard(topics[1]), ['key1', 'key2', 'key3']);
  },
);
