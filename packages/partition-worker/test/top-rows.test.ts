import type { Row } from '@tidewire/core/threads';
import t from 'tap';
import { TopRows } from '#lib/query/top-rows.js';
import { randomFrom } from './store-fixture.js';

const SEED = Number(process.env['SEED'] ?? 20260612);
const RUNS = 500;

t.test('QUERY-10: the first rows are those of a sorted list, however they come', async (t) => {
  console.log(`# seed ${SEED}`);
  const random = randomFrom(SEED);
  const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => random(3));
  for (let run = 0; run < RUNS; run++) {
    const isDescending = random(2) === 0;
    const limit = 1 + random(20);
    const rows = Array.from({ length: random(60) }, (_, i): Row => {
      const key = Uint8Array.of(i, ...bytes(random(3)));
      return { sortKey: bytes(random(3)), key, event: new Uint8Array(random(9)) };
    });
    const top = new TopRows(limit, isDescending);
    for (const row of rows) if (top.takes(row.sortKey, row.key)) top.add(row);
    const sign = isDescending ? -1 : 1;
    const wanted = rows
      .toSorted(
        (left, right) =>
          sign * Buffer.compare(left.sortKey, right.sortKey) || Buffer.compare(left.key, right.key),
      )
      .slice(0, limit);
    const held = wanted.reduce(
      (sum, { sortKey, key, event }) => sum + sortKey.length + key.length + event.length,
      0,
    );
    if (top.bytes !== held) t.equal(top.bytes, held, `run ${run}: bytes`);
    const drained = top.drain();
    if (drained.some((row, i) => row !== wanted[i]) || drained.length !== wanted.length)
      t.same(drained, wanted, `run ${run}`);
  }
  t.pass(`${RUNS} runs`);
});
