import { Code } from '@tidewire/core';
import t, { type Test } from 'tap';
import { PartitionPool } from '#lib/partition-pool.js';
import type { PoolError } from '#lib/pool-error.js';
import type { PoolOptions } from '#lib/pool-options.js';
import type { PoolStore, StoreEvent } from '#lib/pool-store.js';
import type { EntryEvent } from '#lib/record.js';
import type { WorkerDown } from '#lib/worker-threads.js';

const MEMORY = 2 * 16 * 1024 * 1024;

async function started(t: Test, options: Partial<PoolOptions> = {}): Promise<PartitionPool> {
  const pool = await PartitionPool.start({
    workers: 2,
    memoryBytes: MEMORY,
    processors: new URL('./pool-processors.js', import.meta.url),
    ...options,
  });
  t.teardown(() => pool.stop());
  return pool;
}

const refusal = async (promise: Promise<unknown>): Promise<PoolError> =>
  promise.then(
    () => t.fail('it was not refused') as never,
    (error: PoolError) => error,
  );

t.test('LIB-1: what is put is got, by everyone who asks after it', async (t) => {
  const pool = await started(t);
  const put = await pool.put('cities', 'rome', { people: 2.8 });
  t.match(put, { outcome: Code.APPLIED, isDurable: false, record: undefined });
  const rome = await pool.get<{ people: number }>('cities', 'rome');
  t.match(rome, { map: 'cities', key: 'rome', value: { people: 2.8 }, stamp: put.stamp });
  t.equal(rome?.sequence, put.sequence);
  await pool.put('cities', 'raw', new Uint8Array([1, 255]));
  const all = await pool.getAll('cities', ['rome', 'nowhere', 'raw']);
  t.same([...all.keys()], ['rome', 'raw']);
  t.same(all.get('raw')?.value, new Uint8Array([1, 255]));
  await pool.remove('cities', 'rome');
  t.equal(await pool.get('cities', 'rome'), undefined);
  t.equal(await pool.get('no such map', 'k'), undefined);
});

t.test('LIB-2: an older write is superseded, a repeated one is a duplicate', async (t) => {
  const pool = await started(t);
  const { stamp } = await pool.put('m', 'k', 1);
  t.equal((await pool.put('m', 'k', 1, { stamp })).outcome, Code.DUPLICATE);
  const older = { ...stamp, ms: stamp.ms - 1 };
  t.equal((await pool.put('m', 'k', 2, { stamp: older })).outcome, Code.SUPERSEDED);
  t.equal((await pool.get('m', 'k'))?.value, 1);
  const future = { ...stamp, ms: stamp.ms + 3_600_000 };
  t.equal((await refusal(pool.put('m', 'k', 3, { stamp: future }))).code, Code.CLOCK_DRIFT);
});

t.test('LIB-3: updates resolve with the new record, under a condition or not', async (t) => {
  const pool = await started(t);
  t.equal((await pool.increment('m', 'n')).value, 1);
  t.equal((await pool.increment('m', 'n', -3)).value, -2);
  t.equal((await pool.minimum('m', 'n', 5)).value, -2);
  t.equal((await pool.maximum('m', 'n', 5)).value, 5);
  t.same((await pool.merge('m', 'o', { a: { b: 1 } })).value, { a: { b: 1 } });
  t.same((await pool.append('m', 'a', 1)).value, [1]);
  t.same((await pool.append('m', 'a', 2, { keep: 1 })).value, [2]);
  const { stamp } = await pool.put('m', 'once', 'first', { ifAbsent: true });
  const refused = await refusal(pool.put('m', 'once', 'second', { ifAbsent: true }));
  t.match(refused, { code: Code.PRECONDITION, name: 'PRECONDITION', present: { value: 'first' } });
  t.equal((await pool.put('m', 'once', 'third', { ifStamp: stamp })).outcome, Code.APPLIED);
  t.equal((await refusal(pool.remove('m', 'once', { ifStamp: stamp }))).code, Code.PRECONDITION);
});

t.test('LIB-4: subscriptions hear of a map, of a key and of a predicate', async (t) => {
  const pool = await started(t);
  const heard: string[] = [];
  const note =
    (who: string) =>
    ({ kind, map, key, value }: EntryEvent): number =>
      heard.push(`${who} ${kind} ${map}/${key} ${JSON.stringify(value) ?? '-'}`);
  await pool.subscribe('m', note('map'));
  const key = await pool.subscribe('m', note('key'), { key: 'a' });
  await pool.subscribe('m', note('query'), { where: 'n >= 2' });
  await pool.put('m', 'a', { n: 1 });
  await pool.put('m', 'a', { n: 2 });
  await pool.put('other', 'a', { n: 9 });
  key.close();
  await pool.remove('m', 'a');
  t.same(
    heard.filter((line) => line.startsWith('map')),
    ['map put m/a {"n":1}', 'map put m/a {"n":2}', 'map remove m/a -'],
  );
  t.same(
    heard.filter((line) => line.startsWith('key')),
    ['key put m/a {"n":1}', 'key put m/a {"n":2}'],
  );
  t.same(
    heard.filter((line) => line.startsWith('query')),
    ['query enter m/a {"n":2}', 'query leave m/a -'],
  );
});

t.test('LIB-5: beyond the window operations wait, and all are carried out in order', async (t) => {
  const pool = await started(t, { inFlightMax: 4 });
  const sums = await Promise.all(
    Array.from({ length: 2000 }, async () => (await pool.increment('m', 'n')).value),
  );
  t.same(
    sums,
    Array.from({ length: 2000 }, (_, i) => i + 1),
  );
});

t.test('LIB-6: what is not sound is refused before it is sent', async (t) => {
  const pool = await started(t);
  t.equal((await refusal(pool.put('m', '\ud800', 1))).code, Code.INVALID);
  t.equal((await refusal(pool.put('m', 'a\0', 1))).code, Code.INVALID);
  t.equal((await refusal(pool.put('', 'a', 1))).code, Code.INVALID);
  t.equal((await refusal(pool.put('m', 'k'.repeat(1025), 1))).code, Code.TOO_LARGE);
  t.equal((await refusal(pool.put('m', 'k', 'x'.repeat(40_000)))).code, Code.TOO_LARGE);
  t.equal((await refusal(pool.put('m', 'k', undefined))).code, Code.INVALID);
  t.equal((await refusal(pool.put('m', 'k', 1, { safe: true }))).code, Code.INVALID);
  t.equal((await refusal(pool.execute('m', 'k', 'nobody'))).code, Code.INVALID);
  await t.rejects(pool.subscribe('m', () => {}, { where: 'n >' }));
  await t.rejects(PartitionPool.start({ workers: 0, memoryBytes: MEMORY }), { code: Code.INVALID });
});

t.test('LIB-7: stop lets what is under way finish, and refuses what comes later', async (t) => {
  const pool = await PartitionPool.start({ workers: 1, memoryBytes: MEMORY });
  const writes = Array.from({ length: 100 }, (_, i) => pool.put('m', `k${i}`, i));
  const stopped = pool.stop();
  const late = await refusal(pool.put('m', 'late', 1));
  t.equal(late.code, Code.UNAVAILABLE, 'also while others are under way');
  t.equal(await stopped, 0);
  t.equal((await Promise.all(writes)).length, 100);
  t.equal((await refusal(pool.get('m', 'k'))).code, Code.UNAVAILABLE);
});

t.test('LIB-11: a pool whose store does not start leaves nothing of it running', async (t) => {
  let stops = 0;
  const store = {
    start: () => Promise.reject(new Error('the table is not ours')),
    raiseClockBound: async (ms: number) => ms,
    stop: async () => ++stops,
  };
  const failed = PartitionPool.start({ workers: 1, memoryBytes: MEMORY, store });
  await t.rejects(failed, { message: 'the table is not ours' });
  t.equal(stops, 1);
});

/** Keeps no record and, as long as it works, a bound just above the clock. */
class BoundStore implements PoolStore {
  boundMs = 0;
  isFull = false;

  async start(): Promise<number> {
    return this.boundMs;
  }

  async raiseClockBound(ms: number): Promise<number> {
    if (this.isFull) throw new Error('no room');
    this.boundMs = Math.max(this.boundMs, ms, Date.now()) + 100;
    return this.boundMs;
  }

  async stop(): Promise<number> {
    return 0;
  }
}

t.test('LIB-12: the first stamp of a pool is above the last bound of its store', async (t) => {
  const store = new BoundStore();
  store.boundMs = Date.now() + 3_600_000; // the machine's clock has fallen back by an hour
  const { boundMs } = store;
  const pool = await PartitionPool.start({ workers: 1, memoryBytes: MEMORY, store });
  t.teardown(() => pool.stop());
  const { stamp } = await pool.put('m', 'k', 1);
  t.ok(stamp.ms >= boundMs);
  t.ok(stamp.ms < store.boundMs, 'and below the next');
});

t.test('LIB-13: where the clock bound cannot be kept no stamp goes beyond it', async (t) => {
  const store = new BoundStore();
  const events: StoreEvent[] = [];
  const onStore = (event: StoreEvent): void => void events.push(event);
  const options = { workers: 1, memoryBytes: MEMORY, store, onStore };
  const pool = await PartitionPool.start(options);
  t.teardown(() => pool.stop());
  store.isFull = true;
  let code: Code = Code.UNSPECIFIED;
  while (code !== Code.OVERLOADED) {
    const written = await pool.put('m', 'k', 1).catch((error: PoolError) => error);
    if ('stamp' in written) t.ok(written.stamp.ms < store.boundMs);
    else code = written.code;
  }
  while (events.length === 0) await new Promise(setImmediate);
  t.match(events, [{ kind: 'unbound', reason: 'The clock bound cannot be kept: no room.' }]);
  await t.rejects(PartitionPool.start(options), /The clock bound cannot be kept: no room\./);
});

t.test('LIB-8: records of several maps with one key lie in one partition', async (t) => {
  const pool = await started(t);
  const { id, worker } = pool.partitionOf('ann');
  t.equal(worker, id % 2);
  for (const map of ['users', 'carts']) t.equal((await pool.put(map, 'ann', 1)).partition, id);
});

t.test('PROC-1: a processor decides what becomes of the record', async (t) => {
  const pool = await started(t);
  t.equal(await pool.execute('m', 'k', 'double'), undefined, 'it leaves it as it is');
  t.match(await pool.execute('m', 'k', 'setTo', 21), { value: 21, sequence: 1 });
  t.match(await pool.execute('m', 'k', 'double'), { value: 42, sequence: 2 });
  t.match(await pool.get('m', 'k'), { value: 42, sequence: 2 });
  t.equal(await pool.execute('m', 'k', 'drop'), undefined);
  t.equal(await pool.get('m', 'k'), undefined);
  const kept = await pool.execute('m', 'k', 'keepFor', 60_000);
  t.equal(kept?.expiresAtMs, (kept?.stamp.ms ?? 0) + 60_000);
});

t.test('PROC-2: it is given the key and the operation’s time', async (t) => {
  const pool = await started(t);
  const told = await pool.execute<{ key: string; nowMs: number }>('m', 'ä', 'tell', [1]);
  t.match(told?.value, { argument: [1], key: 'ä', nowMs: Number });
  t.ok(Math.abs((told?.value.nowMs ?? 0) - (told?.stamp.ms ?? 0)) < 1000);
});

t.test(
  'PROC-3: one that throws, takes too long or says nothing sound changes nothing',
  async (t) => {
    const pool = await started(t);
    await pool.put('m', 'k', 7);
    const thrown = await refusal(pool.execute('m', 'k', 'refuse', 'not'));
    t.match(thrown, {
      code: Code.FAILED,
      message: 'refuse threw RangeError: not 7',
      present: { value: 7 },
    });
    t.match(await refusal(pool.execute('m', 'k', 'dawdle')), {
      code: Code.FAILED,
      message: /^dawdle took \d+ ms, limit 100\.$/,
    });
    t.match(await refusal(pool.execute('m', 'k', 'useless')), {
      code: Code.FAILED,
      message: 'What useless puts has no JSON form.',
    });
    t.match(await refusal(pool.execute('m', 'k', 'huge')), {
      code: Code.FAILED,
      message: /^What huge puts .* limit/,
    });
    t.match(await pool.get('m', 'k'), { value: 7, sequence: 1 });
  },
);

t.test('PROC-12: what a processor did wrong is told with its name', async (t) => {
  const pool = await started(t);
  await pool.put('m', 'k', 7);
  const wrongs: readonly [string, unknown, string][] = [
    ['refuse', 'not', 'refuse threw RangeError: not 7'],
    ['useless', undefined, 'What useless puts has no JSON form.'],
    ['tooFew', 1, 'tooFew returned no array of 2 changes, one for each record.'],
  ];
  for (const [processor, argument, message] of wrongs) {
    const others = processor === 'tooFew' ? { others: [{ map: 'n', key: 'k' }] } : {};
    const call = pool.execute('m', 'k', processor, argument, others);
    t.match(await refusal(call), { code: Code.FAILED, message });
  }
  const twice = pool.execute('m', 'k', 'tooFew', 1, { others: [{ map: 'm', key: 'k' }] });
  t.match(await refusal(twice), { code: Code.INVALID, message: 'A group names each record once.' });
});

t.test('PROC-7: records of several maps with one key change together', async (t) => {
  const pool = await started(t);
  const heard: string[] = [];
  for (const map of ['current', 'savings'])
    await pool.subscribe(map, ({ value }) => heard.push(`${map} ${JSON.stringify(value)}`));
  await pool.put('current', 'ann', { balance: 100 });
  const others = [{ map: 'savings', key: 'ann' }];
  const first = await pool.execute('current', 'ann', 'transfer', 60, { others });
  t.match(first, { value: { balance: 40 }, sequence: 2 });
  t.match(await pool.get('savings', 'ann'), { value: { balance: 60 }, sequence: 3 });
  const refused = await refusal(pool.execute('current', 'ann', 'transfer', 60, { others }));
  t.match(refused, { code: Code.FAILED, message: 'transfer threw RangeError: 40 is less than 60' });
  t.match(await pool.get('savings', 'ann'), { value: { balance: 60 }, sequence: 3 });
  t.same(heard, ['current {"balance":100}', 'current {"balance":40}', 'savings {"balance":60}']);
});

t.test('PROC-7: 64 records change together', async (t) => {
  const pool = await started(t);
  const others = Array.from({ length: 63 }, (_, i) => ({ map: `m${i}`, key: 'k' }));
  await pool.execute('m', 'k', 'number', 'x', { others });
  const values = await Promise.all(others.map(({ map }) => pool.get(map, 'k')));
  t.same(
    values.map((record) => record?.value),
    others.map((_, i) => ({ argument: 'x', i: i + 1, key: 'k' })),
  );
  const more = [...others, { map: 'more', key: 'k' }];
  const refused = await refusal(pool.execute('m', 'k', 'number', 'y', { others: more }));
  t.equal(refused.code, Code.TOO_LARGE);
});

t.test('PROC-8: what is no group of one partition is refused', async (t) => {
  const pool = await started(t);
  await pool.put('m', 'k', 7);
  const elsewhere = ['a', 'b', 'c'].find(
    (key) => pool.partitionOf(key).id !== pool.partitionOf('k').id,
  ) as string;
  const wrong = async (processor: string, map: string, key: string): Promise<Code> => {
    const call = pool.execute('m', 'k', processor, 1, { others: [{ map, key }] });
    return (await refusal(call)).code;
  };
  t.equal(await wrong('number', 'm', elsewhere), Code.INVALID);
  t.equal(await wrong('number', 'm', 'k'), Code.INVALID, 'named twice');
  t.equal(await wrong('tooFew', 'n', 'k'), Code.FAILED);
  t.equal(await wrong('useless', 'n', 'k'), Code.FAILED);
  const put = { kind: 'put', map: 'm', key: 'k', value: 1 } as const;
  const call = pool.process({ ...put, others: [{ map: 'n', key: 'k' }] });
  t.equal((await refusal(call)).code, Code.INVALID);
  t.match(await pool.get('m', 'k'), { value: 7, sequence: 1 });
});

for (const fault of ['exit', 'loop', 'exhaust', 'collapse']) {
  t.test(
    `PROC-4: ${fault} ends its worker twice, is answered POISON and does nothing`,
    async (t) => {
      const downs: WorkerDown[] = [];
      const pool = await started(t, {
        workers: 1,
        heapMiB: 64,
        onDown: (down) => downs.push(down),
        ...(fault === 'loop' && { hangMs: 300 }),
      });
      await pool.put('m', 'k', 7);
      const calls = [pool.execute('m', 'k', fault), pool.increment('m', 'k')];
      const message = `${fault} ended its worker twice and was skipped.`;
      t.match(await refusal(calls[0]), { code: Code.POISON, message });
      await calls[1];
      t.equal(downs.length, 2);
      t.match(downs[1].poison, /^[0-9a-f]{64}$/);
      t.equal(downs[1].isHung, fault === 'loop');
      t.equal((await pool.get('m', 'k'))?.value, 8);
    },
  );
}

t.test('POOL-15: a worker that dies before it attaches blames no operation', async (t) => {
  process.env['FALTER'] = t.testdir({});
  const downs: WorkerDown[] = [];
  const pool = await started(t, {
    workers: 1,
    processors: new URL('./faltering-processors.js', import.meta.url),
    onDown: (down) => downs.push(down),
  });
  t.match(await pool.execute('m', 'k', 'falter'), { value: 1 });
  t.match(downs, [{ poison: undefined }, { poison: undefined }]);
  t.equal(downs.length, 2);
});
