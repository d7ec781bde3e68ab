import { RecordLayout } from '@tidewire/core/threads';
import t from 'tap';
import { KeyTopics, NO_TOPIC } from '#lib/query/key-topics.js';
import type { KeyTopic } from '#lib/query/topic.js';
import { SEED, SeededRandom } from './seeded-random.js';

const MAPS = 2;
const KEYS = 200;
/** So few that keys share them, and chains. */
const HASHES = 16;

function keyOf(number: number): Int32Array {
  return Int32Array.from({ length: 1 + (number % 3) }, (_, i) => number * 8 + i + 1);
}

function topicOf(id: number, mapId: number, number: number): KeyTopic {
  const key = keyOf(number);
  const hash = (number % HASHES) * 0x1357_9bdf || -1;
  return { kind: 'key', id, mapId, hash: hash | 0, keyLength: key.length * 4, key };
}

/** The head and the key of a record of this key, at word 0. */
function recordOf({ hash, keyLength, key }: KeyTopic): Int32Array {
  const words = new Int32Array(RecordLayout.keyIndex(0) + key.length);
  words[0] = hash;
  words[RecordLayout.LENGTHS] = RecordLayout.packLengths(keyLength, 0);
  words.set(key, RecordLayout.keyIndex(0));
  return words;
}

t.test('CONN-26: a topic of a key is found until it is removed, the newer of two', async (t) => {
  t.comment(`seed ${SEED}`);
  const random = new SeededRandom(SEED);
  const topics = new KeyTopics();
  const known: KeyTopic[] = [];
  const expected = ({ mapId, hash, key }: KeyTopic): number =>
    known.findLast(
      (other) => other.mapId === mapId && other.hash === hash && String(other.key) === String(key),
    )?.id ?? NO_TOPIC;
  for (let id = 1; id <= 5000; id++) {
    if (known.length === 0 || random.below(known.length + 400) < 400) {
      known.push(topicOf(id, random.below(MAPS), random.below(KEYS)));
      topics.add(known.at(-1) as KeyTopic);
    } else {
      const [left] = known.splice(random.below(known.length), 1);
      topics.remove(left.id);
      if (topics.get(left.id) !== undefined) t.fail(`topic ${left.id} is still there`);
    }
    const asked = topicOf(0, random.below(MAPS), random.below(KEYS));
    const found = topics.find(recordOf(asked), 0, asked.mapId);
    if (found !== expected(asked)) t.equal(found, expected(asked), `at ${id}`);
  }
  t.ok(known.length > 100, 'there were some');
  for (const topic of known) t.strictSame(topics.get(topic.id), topic);
});
