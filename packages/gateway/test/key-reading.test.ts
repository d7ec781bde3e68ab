import { KEY_WAITERS_MAX } from '@tidewire/core';
import t from 'tap';
import { KeyReading } from '#lib/access/key-reading.js';

t.test('AUTH-37: few wait for a key set, and none has it read again at will', async (t) => {
  let nowMs = 1_800_000_000_000;
  let reads = 0;
  let end: (error?: Error) => void = () => {};
  const read = (): Promise<void> => {
    reads++;
    return new Promise((resolve, reject) => {
      end = (error) => (error === undefined ? resolve() : reject(error));
    });
  };
  const reading = new KeyReading({ read, nowMs: () => nowMs, staleMsMax: 3_600_000 });
  const waiting = Array.from({ length: KEY_WAITERS_MAX }, () => reading.again());
  t.equal(await reading.again(), false, 'one more does not wait');
  nowMs += 60_000;
  t.equal(await reading.again(), false, 'however long it takes');
  t.equal(reads, 1, 'all wait for the same');
  end(new Error('it is away'));
  for (const one of waiting) await t.rejects(one, /away/);
  t.equal(reads, 1);
  const next = reading.again();
  t.equal(reads, 2);
  end(new Error('still'));
  await t.rejects(next, /still/);
  nowMs += 9_999;
  await t.rejects(reading.again(), /still/, 'at once, as the last time');
  t.equal(reads, 2, 'a failure is not tried again at will either');
  nowMs += 1;
  const last = reading.again();
  end();
  t.equal(await last, true);
  t.equal(await reading.again(), true);
  t.equal(reads, 3);
});

t.test(
  'AUTH-48: a set that was read goes on for an hour while it cannot be read again',
  async (t) => {
    let nowMs = 1_800_000_000_000;
    let reads = 0;
    let end: (set?: string) => void = () => {};
    const read = (): Promise<string> => {
      reads++;
      return new Promise((resolve, reject) => {
        end = (set) => (set === undefined ? reject(new Error('it is away')) : resolve(set));
      });
    };
    const reading = new KeyReading({ read, nowMs: () => nowMs, staleMsMax: 3_600_000 });
    const none = reading.current();
    end();
    await t.rejects(none, /away/);
    await t.rejects(reading.current(), /away/, 'at once: a failure is not tried again at will');
    t.equal(reads, 1);
    nowMs += 10_000;
    const first = reading.current();
    end('first');
    t.equal(await first, 'first');
    nowMs += 599_999;
    t.equal(await reading.current(), 'first');
    t.equal(reads, 2, 'it is not old');
    nowMs += 1;
    const second = reading.current();
    end('second');
    t.equal(await second, 'second', 'an old one is read again before anybody is judged by it');
    nowMs += 600_000;
    const waiting = Array.from({ length: KEY_WAITERS_MAX }, () => reading.current());
    t.equal(await reading.current(), 'second', 'one more does not wait');
    end();
    t.same(new Set(await Promise.all(waiting)), new Set(['second']));
    nowMs += 10_000;
    t.equal(await reading.current(), 'second', 'nobody waits once it has failed');
    t.equal(reads, 5, 'though it is tried again');
    end();
    await t.rejects(reading.again(), /away/);
    nowMs += 3_600_000;
    const late = reading.current();
    end();
    t.equal(await late, undefined, 'its keys may have been withdrawn');
    nowMs += 10_000;
    t.equal(await reading.current(), undefined);
    end('third');
    await reading.again();
    t.equal(await reading.current(), 'third');
  },
);
