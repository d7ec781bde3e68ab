import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLOCK_BOUND_AHEAD_MS, DRIFT_MS_MAX } from '@tidewire/core';
import t, { type Test } from 'tap';
import { ClockBound } from '#lib/clock-bound.js';

const NOW = 1_700_000_000_000;

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'tidewire-test-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

t.test('CLK-1: the bound lies ahead of the wall clock and of the clock', async (t) => {
  const dataDir = join(await folder(t), 'not/there/yet');
  const bound = new ClockBound({ dataDir, now: () => NOW + 0.5 });
  t.equal(await bound.read(), 0);
  const ahead = DRIFT_MS_MAX + CLOCK_BOUND_AHEAD_MS;
  t.equal(await bound.raise(NOW), NOW + 1 + ahead);
  t.equal(await bound.raise(NOW + DRIFT_MS_MAX + 5), NOW + 5 + ahead, 'the clock is further');
  t.equal(await new ClockBound({ dataDir, now: () => 0 }).read(), NOW + 5 + ahead);
});

t.test('CLK-2: a damaged file is an error, never a lower bound', async (t) => {
  const dataDir = await folder(t);
  const bound = new ClockBound({ dataDir, now: () => NOW });
  await bound.raise(0);
  const path = join(dataDir, 'clock-bound');
  const text = await readFile(path, 'latin1');
  for (const damaged of [
    '',
    text.slice(0, -2),
    text.replace('1', '0'),
    `${text}x`,
    '\0'.repeat(30),
  ]) {
    await writeFile(path, damaged);
    await t.rejects(bound.read(), { message: /damaged/ }, JSON.stringify(damaged));
  }
});

t.test('CLK-10: one raise at a time; a second one gets the bound that is under way', async (t) => {
  const dataDir = await folder(t);
  const bound = new ClockBound({ dataDir, now: () => NOW });
  const [first, second] = await Promise.all([bound.raise(NOW + 9000), bound.raise(NOW)]);
  t.equal(second, first);
  t.equal(await new ClockBound({ dataDir, now: () => NOW }).read(), first);
  await Promise.all(Array.from({ length: 20 }, () => bound.raise(NOW + 9000)));
  t.equal(await bound.read(), first);
});

t.test('CLK-11: a bound never falls, neither in one process nor over a restart', async (t) => {
  const dataDir = await folder(t);
  const bound = new ClockBound({ dataDir, now: () => NOW });
  const high = await bound.raise(NOW + 60_000);
  t.equal(await bound.raise(NOW), high);
  const next = new ClockBound({ dataDir, now: () => NOW - 3_600_000 });
  t.equal(await next.read(), high);
  t.equal(await next.raise(0), high);
  t.equal(await next.read(), high);
});

t.test('CLK-12: a bound that cannot be written rejects, and the next one is tried', async (t) => {
  const dataDir = await folder(t);
  const bound = new ClockBound({ dataDir, now: () => NOW });
  await mkdir(join(dataDir, 'clock-bound.new'));
  await t.rejects(bound.raise(NOW), { code: 'EISDIR' });
  await rm(join(dataDir, 'clock-bound.new'), { recursive: true });
  t.equal(await bound.raise(NOW), await bound.read());
});
