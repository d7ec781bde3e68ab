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
  const reading = new KeyReading(read, () => nowMs);
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
