import {
  CancelRequest,
  CreditRequest,
  RequestKind,
  STREAM_LAST,
  TICK_REPORT,
  TickRequest,
  UnsubscribeRequest,
  WorkerControl,
} from '@tidewire/core/threads';
import { EventKind, OperationKind } from '@tidewire/schemas';
import t from 'tap';
import type { NamedProcessor } from '#lib/execute/processor.js';
import { Worker } from '#lib/worker.js';
import { catchUpWords, keysIn, queryWords } from './stream-bench.js';
import {
  doorbells,
  FakeGateway,
  type Interest,
  MAP_ID,
  START_MS,
  smallMemory,
  subscribeWords,
} from './worker-fixture.js';

const [A, B] = [keysIn(5, 1)[0], keysIn(6, 1)[0]];
const STREAM = 8;

function tick(flags: number): Int32Array {
  const words = new Int32Array(TickRequest.WORDS);
  words[TickRequest.FLAGS] = flags;
  return words;
}

/** A worker, the gateway that asks it, and what is said about both. */
function start(
  interests: readonly Interest[] = [],
  processors: readonly NamedProcessor[] = [],
): {
  gateway: FakeGateway;
  /** Deaf: nobody reads what the worker says. */
  work: (how?: { isDeaf: boolean }) => void;
  restart: () => void;
  count: (word: number) => number;
} {
  const memory = smallMemory(8 * 1024 * 1024);
  const bells = doorbells();
  const gateway = new FakeGateway(memory);
  let starts = 0;
  let worker: Worker;
  const restart = (): void => {
    gateway.introduce(++starts, interests);
    worker = new Worker(memory, bells, starts, processors);
  };
  const work = ({ isDeaf = false } = {}): void => {
    for (let idle = 0; idle < 2; ) idle = worker.doWork() === 0 ? idle + 1 : 0;
    if (!isDeaf) gateway.listen();
  };
  restart();
  return { gateway, work, restart, count: (word) => new Int32Array(memory.control)[word] };
}

function put(gateway: FakeGateway, key: string, value: string, ms: number): void {
  gateway.send(ms, { kind: OperationKind.PUT, key, value, ms });
}

t.test('PROC-9: the events of a group may take more room than a ring has', async (t) => {
  const [sweeps, ...group] = keysIn(5, 43).slice(1);
  const fill: NamedProcessor = {
    name: 'fill',
    run: (records) => (records as unknown[]).map(() => ({ put: 'x'.repeat(30_000) })),
  };
  for (const dies of [false, true]) {
    const { gateway, work, restart } = start([{ topic: 1 }], [fill]);
    put(gateway, A, 'before', 1);
    const end = { value: 'short', ms: 2, expiresAt: START_MS + 500 };
    gateway.send(2, { kind: OperationKind.PUT, key: sweeps, ...end });
    work();
    const others = group.slice(1).map((key) => ({ mapId: MAP_ID, key }));
    gateway.tick(1000); // the short one is due, but behind the group
    const execute = { kind: OperationKind.EXECUTE, key: group[0], ms: 3, update: { others } };
    gateway.send(3, execute);
    put(gateway, B, 'after', 4);
    if (dies) {
      work({ isDeaf: true });
      restart();
      gateway.tick(1000);
    }
    for (let turn = 0; turn < 4; turn++) work();
    const events = gateway.said.filter((said) => said.kind === 'event').map(({ event }) => event);
    t.same(
      events.map(({ kind, key }) => `${EventKind[kind]} ${key}`),
      [
        `PUT ${A}`,
        `PUT ${sweeps}`,
        ...group.map((key) => `PUT ${key}`),
        `PUT ${B}`,
        `REMOVE ${sweeps}`,
      ],
    );
  }
});

t.test(
  'CATCH-22: a TICK that asks for it is answered by the partitions that moved, behind their events',
  async (t) => {
    const { gateway, work, restart } = start([{ topic: 1 }]);
    gateway.request(RequestKind.TICK, tick(TICK_REPORT));
    put(gateway, A, 'one', 1);
    put(gateway, A, 'two', 2);
    put(gateway, B, 'one', 3);
    gateway.request(RequestKind.TICK, tick(TICK_REPORT));
    put(gateway, B, 'two', 4);
    gateway.request(RequestKind.TICK, tick(0));
    gateway.request(RequestKind.TICK, tick(TICK_REPORT));
    gateway.request(RequestKind.TICK, tick(TICK_REPORT));
    work();
    t.same(
      gateway.said.map((said) => (said.kind === 'progress' ? said.reached : said.kind)),
      [
        [],
        'event',
        'event',
        'event',
        [
          [5, 2],
          [6, 1],
        ],
        'event',
        [[6, 2]],
        [],
      ],
    );
    restart();
    gateway.said.length = 0;
    gateway.request(RequestKind.TICK, tick(TICK_REPORT));
    work();
    const all = [
      [5, 2],
      [6, 2],
    ];
    t.match(gateway.said, [{ kind: 'progress', reached: all }], 'a new worker reports everything');
  },
);

t.test(
  'CATCH-23: a topic is caught up, queried, cancelled and counted by requests of the ring',
  async (t) => {
    const { gateway, work, count } = start();
    const where = { kind: 'prefix', field: { kind: 'key' }, text: 'k' } as const;
    gateway.request(RequestKind.SUBSCRIBE, subscribeWords({ topic: 1 }));
    gateway.request(RequestKind.SUBSCRIBE, subscribeWords({ topic: 2, key: A }));
    gateway.request(RequestKind.SUBSCRIBE, subscribeWords({ topic: 3, where }));
    put(gateway, A, 'one', 1);
    gateway.request(RequestKind.CATCH_UP, catchUpWords(STREAM, 3, [{ partition: 5 }], 1));
    gateway.request(RequestKind.QUERY, queryWords(STREAM + 1, { credit: 1 }));
    gateway.request(RequestKind.QUERY, queryWords(STREAM + 2, { credit: 0 }));
    work();
    t.same(
      gateway.heard.filter((said) => said.startsWith('subscribed')),
      ['subscribed 1', 'subscribed 2', 'subscribed 3'],
    );
    const kinds = gateway.said.map((said) =>
      said.kind === 'event' ? EventKind[said.event.kind] : said.kind,
    );
    t.same(kinds, ['PUT', 'ENTER', 'slice', 'rows']);
    const topics = [
      WorkerControl.TOPICS_MAP,
      WorkerControl.TOPICS_KEY,
      WorkerControl.TOPICS_PREDICATE,
    ];
    t.same(topics.map(count), [1, 1, 1]);
    t.equal(count(WorkerControl.STREAMS), 2);
    gateway.request(RequestKind.CREDIT, creditWords(STREAM + 1, 1000));
    gateway.request(RequestKind.CANCEL, cancelWords(STREAM + 2));
    for (const topic of [1, 2, 3])
      gateway.request(RequestKind.UNSUBSCRIBE, unsubscribeWords(topic));
    work();
    t.match(gateway.said.at(-1), {
      kind: 'rows',
      stream: STREAM + 1,
      flags: STREAM_LAST,
      count: 1,
    });
    t.same(topics.map(count), [0, 0, 0]);
    t.equal(count(WorkerControl.STREAMS), 0);
  },
);

function creditWords(stream: number, bytes: number): Int32Array {
  const words = new Int32Array(CreditRequest.WORDS);
  words[CreditRequest.STREAM] = stream;
  words[CreditRequest.BYTES] = bytes;
  return words;
}

function cancelWords(stream: number): Int32Array {
  const words = new Int32Array(CancelRequest.WORDS);
  words[CancelRequest.STREAM] = stream;
  return words;
}

function unsubscribeWords(topic: number): Int32Array {
  const words = new Int32Array(UnsubscribeRequest.WORDS);
  words[UnsubscribeRequest.TOPIC] = topic;
  return words;
}
