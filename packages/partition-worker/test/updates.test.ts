import { Code } from '@tidewire/core';
import {
  EXTENSION_IF_ABSENT,
  EXTENSION_IF_STAMP,
  EXTENSION_UNCERTAIN,
  RequestKind,
  type WorkerMemory,
} from '@tidewire/core/threads';
import { OperationKind } from '@tidewire/schemas';
import t from 'tap';
import { Worker } from '#lib/worker.js';
import { SEED, SeededRandom } from './seeded-random.js';
import {
  doorbells,
  FakeGateway,
  type Sent,
  START_MS,
  saysOutcome,
  smallMemory,
  type UpdateSent,
} from './worker-fixture.js';

/** One worker after another on the same memory, and what each answers. */
class Bench {
  readonly memory: WorkerMemory = smallMemory();
  readonly #gateway: FakeGateway = new FakeGateway(this.memory);
  readonly #doorbells = doorbells();
  #worker: Worker;
  #starts = 0;

  constructor() {
    this.#worker = this.#start();
  }

  /** Another worker takes over. */
  restart(): void {
    this.#worker = this.#start();
  }

  ask(requestId: number, sent: Sent): string {
    const { length } = this.#gateway.heard;
    this.#gateway.send(requestId, sent);
    while (this.#worker.doWork() > 0) this.#gateway.listen();
    this.#gateway.listen();
    return this.#gateway.heard[length];
  }

  forgetSession(token: number): void {
    this.#gateway.request(RequestKind.FORGET_SESSION, new Int32Array([token, 0, 0, 0]));
    this.#worker.doWork();
  }

  #start(): Worker {
    this.#starts++;
    this.#gateway.introduce(this.#starts, []);
    return new Worker(this.memory, this.#doorbells, this.#starts);
  }
}

const put = (key: string, value: string, ms: number): Sent => ({
  kind: OperationKind.PUT,
  key,
  value,
  ms,
});
const increment = (update: UpdateSent, ms = 1): Sent => ({
  kind: OperationKind.INCREMENT,
  key: 'k',
  value: '5',
  ms,
  update,
});
const get: Sent = { kind: OperationKind.GET, key: 'k', ms: 100 };

/** Whether the answer carries this value. */
function says(answer: string, value: string): boolean {
  const bytes = Buffer.from(value).toString('hex');
  const length = value.length.toString(16).padStart(2, '0');
  return answer.includes(`4a${length}${bytes}`);
}

t.test('UPDATE-5: an update takes a stamp above the record and is never superseded', async (t) => {
  const bench = new Bench();
  bench.ask(1, put('k', '41', 50));
  const answer = bench.ask(2, increment({}, 1));
  t.ok(saysOutcome(answer, Code.APPLIED));
  t.ok(says(answer, '46'), 'the answer has the new value');
  t.ok(saysOutcome(bench.ask(3, put('k', '0', 50)), Code.SUPERSEDED), 'the record is newer now');
  t.ok(says(bench.ask(4, get), '46'));
});

t.test('UPDATE-6: one request of a session has one effect, whoever executes it', async (t) => {
  const bench = new Bench();
  const first = bench.ask(1, increment({ token: 9 }));
  t.ok(says(first, '5'));
  t.equal(bench.ask(1, increment({ token: 9 })), first, 'sent again: the same answer');
  bench.ask(2, increment({ token: 9 }));
  t.equal(bench.ask(1, increment({ token: 9 })), first, 'also when the record has moved on');
  bench.restart();
  t.equal(bench.ask(1, increment({ token: 9 })), first, 'another worker knows it too');
  t.ok(says(bench.ask(1, increment({ token: 8 })), '15'), 'another session is another request');
  t.ok(says(bench.ask(1, increment({})), '20'), 'without a token nothing is recognised');
  t.ok(says(bench.ask(1, increment({})), '25'));
});

t.test('UPDATE-41: a request id used again for another update is INVALID', async (t) => {
  const bench = new Bench();
  const first = bench.ask(1, increment({ token: 9 }));
  const others: Partial<Sent>[] = [
    { key: 'j' },
    { mapId: 1 },
    { kind: OperationKind.APPEND },
    { kind: OperationKind.PUT, update: { token: 9, flags: EXTENSION_IF_ABSENT } },
  ];
  for (const other of others) {
    const answer = bench.ask(1, { ...increment({ token: 9 }), ...other });
    t.ok(saysOutcome(answer, Code.UNSPECIFIED, Code.INVALID), JSON.stringify(other));
    t.notOk(says(answer, '5'), 'nothing is shown');
  }
  bench.restart();
  const answer = bench.ask(1, { ...increment({ token: 9 }), key: 'j' });
  t.ok(saysOutcome(answer, Code.UNSPECIFIED, Code.INVALID), 'another worker knows it too');
  t.equal(bench.ask(1, increment({ token: 9 })), first);
});

t.test('UPDATE-7: effects are forgotten once answered, or with their session', async (t) => {
  const bench = new Bench();
  bench.ask(1, increment({ token: 9 }));
  bench.ask(2, increment({ token: 9, lowestPending: 2 }));
  t.ok(says(bench.ask(1, increment({ token: 9 })), '15'), 'the first was answered, its id is free');
  bench.ask(4, increment({ token: 9 }));
  bench.forgetSession(9);
  t.ok(says(bench.ask(4, increment({ token: 9 })), '25'));
});

t.test(
  'UPDATE-42: who has the most effects makes room, and none of it is done twice',
  async (t) => {
    for (const dies of [false, true]) {
      const bench = new Bench();
      const ask = (id: number, update: UpdateSent): string => {
        if (dies) bench.restart();
        return bench.ask(id, increment(update));
      };
      let value = 0;
      const applies = (id: number, update: UpdateSent): void => {
        value += 5;
        const answer = ask(id, update);
        if (!saysOutcome(answer, Code.APPLIED) || !says(answer, String(value)))
          t.fail(`${id} of ${update.token}: ${answer}`);
      };
      for (let token = 1; token <= 8; token++)
        for (let id = 1; id <= 8; id++) applies(id, { token });
      for (let id = 1; id <= 4; id++) applies(id, { token: 9 });
      const uncertain = Array.from({ length: 64 }, (_, i) => {
        const answer = ask(1 + (i & 7), { token: 1 + (i >> 3) });
        return saysOutcome(answer, Code.UNSPECIFIED, Code.UNCERTAIN) ? [i & 7, i >> 3] : [];
      }).filter((place) => place.length > 0);
      t.equal(uncertain.length, 4 + new Set(uncertain.map(([, token]) => token)).size);
      t.ok(
        uncertain.every(([id]) => id < 7),
        'the last of nobody',
      );
      const [[id, token]] = uncertain;
      const guarded = { token: token + 1, flags: EXTENSION_IF_ABSENT };
      t.ok(
        saysOutcome(ask(id + 1, guarded), Code.UNSPECIFIED, Code.PRECONDITION),
        'by its condition',
      );
      for (let id = 1; id <= 4; id++)
        t.ok(saysOutcome(ask(id, { token: 9 }), Code.APPLIED), 'who has few keeps them');
      t.ok(says(bench.ask(99, get), String(value)), 'nothing was done twice');
      applies(9, { token: token + 1, lowestPending: 9 });
      applies(1, { token: token + 1, lowestPending: 0 });
      bench.forgetSession(token + 1);
      applies(1, { token: token + 1 });
    }
  },
);

t.test(
  'UPDATE-42: an honest client always finds room, whoever leaves effects behind',
  async (t) => {
    t.comment(`seed ${SEED}`);
    const random = new SeededRandom(SEED);
    const bench = new Bench();
    const left = new Map<number, number>();
    let value = 0;
    let forgotten = 0;
    for (let i = 0; i < 5000; i++) {
      const token = 1 + random.below(12);
      const id = (left.get(token) ?? 0) + 1;
      if (random.below(50) === 0) bench.restart();
      if (random.below(4) === 0 && id > 1) {
        const answer = bench.ask(1 + random.below(id - 1), increment({ token }));
        if (saysOutcome(answer, Code.UNSPECIFIED, Code.UNCERTAIN)) forgotten++;
        else if (!saysOutcome(answer, Code.APPLIED)) t.fail(answer);
      } else if (saysOutcome(bench.ask(id, increment({ token })), Code.APPLIED)) {
        left.set(token, id);
        value += 5;
      }
      const honest = bench.ask(i + 1, increment({ token: 99, lowestPending: i }));
      value += 5;
      if (!says(honest, String(value))) t.fail(`${i}: ${honest}`);
      if (bench.ask(i + 1, increment({ token: 99, lowestPending: i })) !== honest)
        t.fail(`${i} was forgotten`);
    }
    t.ok(forgotten > 100, 'others were forgotten for it');
  },
);

t.test('UPDATE-43: a session without a token needs no room for effects', async (t) => {
  const bench = new Bench();
  for (let token = 1; token <= 64; token++) bench.ask(1, increment({ token }));
  t.ok(saysOutcome(bench.ask(1, increment({ token: 65 })), Code.UNSPECIFIED, Code.OVERLOADED));
  t.ok(says(bench.ask(1, increment({})), String(65 * 5)));
});

t.test('UPDATE-8: when no more effects can be remembered, updates are refused', async (t) => {
  const bench = new Bench();
  const sent = Array.from({ length: 65 }, (_, i) => increment({ token: 9 + i }));
  const answers = sent.map((each, i) => bench.ask(i + 1, each));
  t.ok(answers.slice(0, 64).every((answer) => saysOutcome(answer, Code.APPLIED)));
  t.ok(saysOutcome(answers[64], Code.UNSPECIFIED, Code.OVERLOADED));
  t.ok(says(bench.ask(66, get), String(64 * 5)), 'it did nothing');
  const later = bench.ask(67, increment({ token: 9, lowestPending: 67 }));
  t.ok(says(later, String(65 * 5)), 'room comes with the answers');
});

t.test('UPDATE-27: a session that names no answers has its own updates refused', async (t) => {
  const bench = new Bench();
  const isApplied = (id: number, update: UpdateSent): boolean =>
    saysOutcome(bench.ask(id, increment(update)), Code.APPLIED);
  for (const id of [8, 7, 6, 5, 4, 3, 2, 1]) t.ok(isApplied(id, { token: 9 }));
  t.notOk(isApplied(9, { token: 9 }));
  t.ok(isApplied(9, { token: 8 }), 'others are not concerned');
  bench.restart();
  t.notOk(isApplied(9, { token: 9 }), 'nor does another worker forget');
  t.ok(isApplied(9, { token: 9, lowestPending: 2 }), 'whatever the order of its ids was');
});

t.test('UPDATE-9: a condition on the stamp or on absence must hold', async (t) => {
  const bench = new Bench();
  const ifAbsent = (ms: number): Sent => ({
    ...put('k', '1', ms),
    update: { flags: EXTENSION_IF_ABSENT },
  });
  const ifStamp = (ms: number, ifMs: number): Sent => ({
    ...put('k', '2', ms),
    update: { flags: EXTENSION_IF_STAMP, ifMs },
  });
  t.ok(saysOutcome(bench.ask(1, ifStamp(5, 5)), Code.UNSPECIFIED, Code.PRECONDITION));
  t.ok(saysOutcome(bench.ask(2, ifAbsent(5)), Code.APPLIED));
  const refused = bench.ask(3, ifAbsent(6));
  t.ok(saysOutcome(refused, Code.UNSPECIFIED, Code.PRECONDITION));
  t.ok(says(refused, '1'), 'it shows what stands in the way');
  t.ok(saysOutcome(bench.ask(4, ifStamp(7, 4)), Code.UNSPECIFIED, Code.PRECONDITION));
  t.ok(saysOutcome(bench.ask(5, ifStamp(7, 5)), Code.APPLIED));
  t.ok(saysOutcome(bench.ask(6, ifStamp(8, 5)), Code.UNSPECIFIED, Code.PRECONDITION));
  const remove: Sent = {
    kind: OperationKind.REMOVE,
    key: 'k',
    ms: 9,
    update: { flags: EXTENSION_IF_STAMP, ifMs: 7 },
  };
  t.ok(saysOutcome(bench.ask(7, remove), Code.APPLIED));
  t.ok(saysOutcome(bench.ask(8, ifAbsent(10)), Code.APPLIED), 'a removed key is absent');
});

t.test(
  'UPDATE-10: a repeated update that nobody remembers is UNCERTAIN, with the value',
  async (t) => {
    const bench = new Bench();
    bench.ask(1, increment({ token: 9 }));
    const unknown = bench.ask(7, increment({ token: 9, flags: EXTENSION_UNCERTAIN }));
    t.ok(saysOutcome(unknown, Code.UNSPECIFIED, Code.UNCERTAIN));
    t.ok(says(unknown, '5'));
    const known = bench.ask(1, increment({ token: 9, flags: EXTENSION_UNCERTAIN }));
    t.ok(saysOutcome(known, Code.APPLIED), 'one that is remembered is answered');
    const guarded = {
      ...put('k', '6', 3),
      update: { flags: EXTENSION_UNCERTAIN | EXTENSION_IF_STAMP, ifMs: 1 },
    };
    t.ok(saysOutcome(bench.ask(8, guarded), Code.APPLIED), 'a condition protects itself');
  },
);

t.test('UPDATE-11: an expired record counts as absent, a lifetime is kept', async (t) => {
  const bench = new Bench();
  bench.ask(1, { ...put('k', '41', 1), expiresAt: START_MS - 1 });
  t.ok(says(bench.ask(2, increment({}, 2)), '5'));
  bench.ask(3, { ...put('k', '41', 10), expiresAt: START_MS + 50 });
  const expiry = (answer: string): string => answer.slice(-14);
  const before = expiry(bench.ask(4, get));
  const after = bench.ask(5, increment({}, 11));
  t.ok(says(after, '46'));
  t.equal(expiry(after), before, 'its end is where it was');
});
