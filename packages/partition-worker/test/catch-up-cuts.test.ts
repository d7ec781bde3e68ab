import { sipHash } from '@tidewire/core';
import { RequestKind } from '@tidewire/core/threads';
import { OperationKind } from '@tidewire/schemas';
import t from 'tap';
import { buildCut } from './cut/cut-build.js';
import { cutAt, diesIn, revive, stepsTaken } from './cut/cut-steps.js';
import { type CatchUpEntry, catchUpWords, keysIn, SALT } from './stream-bench.js';
import { type Held, SubscriberView } from './subscriber-view.js';
import { doorbells, FakeGateway, type Interest, Snapshot, smallMemory } from './worker-fixture.js';

const url = buildCut('catch-up-cuts')('worker/worker.js');
const { Worker } = (await import(url)) as typeof import('#lib/worker.js');
type CutWorker = InstanceType<typeof Worker>;

/** Every n-th first cut is followed by a second one, in the worker that attaches. */
const SECOND_CUT_EVERY = process.env['TIDEWIRE_LONG_TESTS'] === undefined ? 7 : 1;
const TOPIC = 3;
const INTERESTS: readonly Interest[] = [
  { topic: 1 },
  { topic: TOPIC, where: { kind: 'eq', field: { kind: 'value', steps: [] }, literal: 1 } },
];
const FIRST = keysIn(5, 6);
const SECOND = keysIn(6, 6);
/** The subscriber had seen the first two keys of partition 5, and something of 6 that is gone. */
const HELD = [FIRST[0], FIRST[1], SECOND[0]].map((key): [string, Held] => [
  key,
  { sequence: 1, value: '1', expiresAt: 0 },
]);
const ENTRIES: readonly CatchUpEntry[] = [{ partition: 5, cursor: 2 }, { partition: 6 }];
/** Room for about two records: the stream runs while the operations behind it are executed. */
const SMALL_CREDIT = 60;

/** A gateway that begins the catch-up anew when the worker dies, and what its subscriber holds. */
class CaughtUp {
  readonly gateway: FakeGateway;
  readonly view: SubscriberView;
  readonly #ended = new Map<number, number>();
  #stream = 1;
  #read = 0;

  constructor(gateway: FakeGateway) {
    this.gateway = gateway;
    this.view = new SubscriberView({ topic: TOPIC, stream: 1, held: HELD, hash: hashOfKey });
  }

  listen(): void {
    this.gateway.listen();
    for (const said of this.gateway.said.slice(this.#read)) {
      this.view.take(said);
      if (said.kind === 'slice' && said.stream === this.#stream)
        for (const [partition, sequence] of said.ended) this.#ended.set(partition, sequence);
    }
    this.#read = this.gateway.said.length;
  }

  beginAnew(): void {
    this.gateway.request(RequestKind.CANCEL, Int32Array.of(this.#stream));
    if (this.view.isDone) return;
    this.view.follow(++this.#stream);
    const entries = ENTRIES.map(({ partition, cursor }) => ({
      partition,
      cursor: this.#ended.get(partition) ?? cursor,
    }));
    const words = catchUpWords(this.#stream, TOPIC, entries, 1 << 20);
    this.gateway.request(RequestKind.CATCH_UP, words);
  }
}

function hashOfKey(key: string): bigint {
  const { low, high } = sipHash(Buffer.from(key), new Uint8Array(SALT.buffer));
  return (BigInt(high) << 32n) | BigInt(low);
}

function work(worker: CutWorker): void {
  for (let idle = 0; idle < 2; ) idle = worker.doWork() === 0 ? idle + 1 : 0;
}

/** Records before the catch-up; then it, between writes that make and end matches. */
function fill(gateway: FakeGateway): void {
  let ms = 0;
  const put = (key: string, value: string): void =>
    gateway.send(++ms, { kind: OperationKind.PUT, key, value, ms });
  for (const key of FIRST) put(key, '1');
  for (const key of SECOND.slice(1)) put(key, '1');
  put(FIRST[0], '2'); // missed: it does not match any more
}

function ask(gateway: FakeGateway): void {
  gateway.request(RequestKind.CATCH_UP, catchUpWords(1, TOPIC, ENTRIES, SMALL_CREDIT));
  gateway.send(50, { kind: OperationKind.PUT, key: FIRST[0], value: '3', ms: 50 });
  gateway.send(51, { kind: OperationKind.REMOVE, key: SECOND[2], ms: 51 });
  gateway.request(RequestKind.CREDIT, Int32Array.of(1, 1 << 20));
  gateway.send(52, { kind: OperationKind.PUT, key: SECOND[5], value: '2', ms: 52 });
}

t.test(
  'CATCH-24: a worker that dies at any store while it catches a subscriber up costs it nothing',
  async (t) => {
    const memory = smallMemory();
    const bells = doorbells();
    const setup = new FakeGateway(memory);
    setup.introduce(1, INTERESTS);
    fill(setup);
    work(new Worker(memory, bells, 1));
    setup.listen();
    ask(setup);
    const snapshot = new Snapshot(memory);

    /** The same history again; with cuts, in up to three workers. */
    const play = (cuts: readonly number[]): CaughtUp => {
      snapshot.restore();
      const caughtUp = new CaughtUp(new FakeGateway(memory, setup.answered));
      let count = 2;
      for (const step of cuts) {
        caughtUp.gateway.introduce(count, INTERESTS);
        cutAt(step);
        diesIn(() => work(new Worker(memory, bells, count)));
        revive();
        caughtUp.listen();
        caughtUp.beginAnew();
        count++;
      }
      caughtUp.gateway.introduce(count, INTERESTS);
      work(new Worker(memory, bells, count));
      caughtUp.listen();
      return caughtUp;
    };

    const held = [...FIRST.slice(1), SECOND[1], SECOND[3], SECOND[4]].toSorted();
    revive();
    const whole = play([]);
    const steps = stepsTaken();
    t.ok(whole.view.isDone);
    t.same([...whole.view.held.keys()].toSorted(), held);
    let wrong = 0;
    for (let step = 0; step < steps; step++) {
      const cuts = step % SECOND_CUT_EVERY === 0 ? [step, (step * 31) % steps] : [step];
      const { gateway, view } = play(cuts);
      const isRight =
        view.isDone &&
        [...view.held.keys()].toSorted().join() === held.join() &&
        gateway.heard.join('\n') === whole.gateway.heard.join('\n') &&
        !gateway.hasUnread;
      if (!isRight && wrong++ === 0)
        t.same([...view.held.keys()].toSorted(), held, `cut at ${cuts.join(' and ')}`);
    }
    t.equal(wrong, 0, `${steps} cuts`);
  },
);
