import { SubscribeRequest, WorkerControl } from '@tidewire/core/threads';
import t from 'tap';
import { SubscriptionIndex } from '#lib/query/subscription-index.js';
import { SEED, SeededRandom } from './seeded-random.js';
import { subscribeWords } from './worker-fixture.js';

const MAPS = 5;
const where = { kind: 'exists', field: { kind: 'value', steps: ['a'] } } as const;

function newIndex(): SubscriptionIndex {
  return new SubscriptionIndex(
    new Int32Array(new SharedArrayBuffer(WorkerControl.CONTROL_WORDS * 4)),
  );
}

function add(index: SubscriptionIndex, topic: number, mapId: number): void {
  const words = subscribeWords({ topic, where });
  words[SubscribeRequest.MAP] = mapId;
  index.add(words, 0);
}

t.test('INDEX-21: the most predicates of one map follow whatever comes and goes', async (t) => {
  t.comment(`seed ${SEED}`);
  const random = new SeededRandom(SEED);
  const index = newIndex();
  const topics: { topic: number; mapId: number }[] = [];
  const fullest = (): number =>
    Math.max(...range(MAPS).map((mapId) => topics.filter((other) => other.mapId === mapId).length));
  let seen = 0;
  for (let topic = 1; topic <= 2000; topic++) {
    if (topics.length === 0 || random.below(topics.length + 20) < 20) {
      const mapId = random.below(MAPS);
      add(index, topic, mapId);
      topics.push({ topic, mapId });
    } else {
      const [left] = topics.splice(random.below(topics.length), 1);
      index.remove(left.topic);
    }
    seen = Math.max(seen, fullest());
    if (index.predicatesMax !== fullest()) t.equal(index.predicatesMax, fullest(), `at ${topic}`);
  }
  for (const { topic } of topics) index.remove(topic);
  t.ok(seen > 5, 'there were some');
  t.equal(index.predicatesMax, 0, 'none are left');
});

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
