import {
  MAPS_LENT_MAX,
  PREDICATE_BYTES_MAX,
  PREDICATE_BYTES_TOTAL_MAX,
  PREDICATES_UNINDEXED_A_MAP_MAX,
} from '@tidewire/core';
import { MAP_TABLE_BYTES, MapTable } from '@tidewire/core/threads';
import {
  KnownTopic,
  TopicFault,
  TopicRegister,
  type Wish,
  WorkerRequests,
} from '@tidewire/partition-worker/front';
import { Code } from '@tidewire/schemas';
import t from 'tap';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function newRegister(): {
  topics: TopicRegister<KnownTopic>;
  maps: MapTable;
  claim: (map: string, wish?: Wish) => KnownTopic | TopicFault;
  must: (map: string, wish?: Wish) => KnownTopic;
} {
  const maps = new MapTable(new SharedArrayBuffer(MAP_TABLE_BYTES));
  const topics = new TopicRegister<KnownTopic>({
    mapTable: maps,
    requests: new WorkerRequests([]),
    ownersOf: () => [],
    makeTopic: (id, interest, workers) => new KnownTopic(id, interest, workers),
  });
  const claim = (map: string, wish: Wish = {}) => topics.claim(bytesOf(map), wish);
  const must = (map: string, wish: Wish = {}): KnownTopic => {
    const topic = claim(map, wish);
    if (topic instanceof TopicFault) throw new Error(topic.detail);
    return topic;
  };
  return { topics, maps, claim, must };
}

/** A predicate of its own, as far as the register cares. */
function predicate(number: number, length = 8): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set([number, number >> 8, number >> 16]);
  return bytes;
}

t.test('SUB-54: all predicates together have so many bytes at most', async (t) => {
  const { topics, claim, must } = newRegister();
  const most = PREDICATE_BYTES_TOTAL_MAX / PREDICATE_BYTES_MAX;
  const made = Array.from({ length: most }, (_, i) =>
    must('m', { predicate: predicate(i, PREDICATE_BYTES_MAX) }),
  );
  const fault = { code: Code.OVERLOADED, detail: /no room/ };
  t.match(claim('m', { predicate: new Uint8Array([1]) }), fault);
  topics.retire(made[0]);
  must('m', { predicate: predicate(most, PREDICATE_BYTES_MAX) });
  t.match(claim('m', { predicate: new Uint8Array([1]) }), fault);
});

t.test('COST-4: a map has so many predicates that no index serves, and no more', async (t) => {
  const { topics, claim, must } = newRegister();
  const made = Array.from({ length: PREDICATES_UNINDEXED_A_MAP_MAX }, (_, i) =>
    must('m', { predicate: predicate(i), isLinear: true }),
  );
  const last = { predicate: predicate(made.length), isLinear: true };
  t.match(claim('m', last), { code: Code.OVERLOADED, detail: /no index/ });
  must('m', { ...last, isLinear: false });
  must('m');
  must('other', last);
  t.equal(must('m', { predicate: predicate(3), isLinear: true }), made[3], 'who shares one may');
  topics.retire(made[0]);
  must('m', { predicate: predicate(made.length + 1), isLinear: true });
});

t.test('SUB-55: a map that is watched and never written keeps no id', async (t) => {
  const { topics, maps, must } = newRegister();
  for (let i = 0; i < 3 * MAPS_LENT_MAX; i++) {
    const [one, two] = [must(`map-${i}`), must(`map-${i}`, { key: bytesOf('k') })];
    t.equal(one.mapId, two.mapId) || t.bailout();
    topics.retire(one);
    topics.retire(two);
  }
  t.equal(maps.count, 1);
});

t.test('SUB-55: maps that are only watched leave room for those that are written', async (t) => {
  const { topics, maps, claim, must } = newRegister();
  const made = Array.from({ length: MAPS_LENT_MAX }, (_, i) => must(`map-${i}`));
  t.match(claim('more'), { code: Code.OVERLOADED, detail: /nobody has written/ });
  const written = bytesOf('more');
  const id = maps.register(written, 0, written.length);
  t.equal(must('more').mapId, id, 'one that is written may be watched');
  const first = bytesOf('map-0');
  t.equal(maps.register(first, 0, first.length), made[0].mapId, 'it keeps its id');
  must('another');
  topics.retire(made[0]);
  t.equal(maps.idOf(first, 0, first.length), made[0].mapId, 'and has it for good');
});
