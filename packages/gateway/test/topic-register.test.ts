import { PREDICATE_BYTES_MAX, PREDICATE_BYTES_TOTAL_MAX } from '@tidewire/core';
import {
  interestIn,
  KnownTopic,
  TopicRegister,
  WorkerRequests,
} from '@tidewire/partition-worker/front';
import t from 'tap';

t.test('SUB-54: all predicates together have so many bytes at most', async (t) => {
  const topics = new TopicRegister<KnownTopic>({
    requests: new WorkerRequests([]),
    ownersOf: () => [],
    makeTopic: (id, interest, workers) => new KnownTopic(id, interest, workers),
  });
  const made: KnownTopic[] = [];
  while (topics.hasRoomFor(PREDICATE_BYTES_MAX)) {
    const predicate = new Uint8Array(PREDICATE_BYTES_MAX);
    predicate.set([made.length, made.length >> 8]);
    made.push(topics.add(interestIn(1, { predicate })));
  }
  t.equal(made.length, PREDICATE_BYTES_TOTAL_MAX / PREDICATE_BYTES_MAX);
  t.notOk(topics.hasRoomFor(1));
  topics.retire(made[0]);
  t.ok(topics.hasRoomFor(PREDICATE_BYTES_MAX), 'room comes with the end of others');
});
