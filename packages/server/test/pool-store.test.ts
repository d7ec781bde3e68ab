import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PartitionPool } from '@tidewire/partition-worker';
import { postgresStore } from '@tidewire/persistence';
import t from 'tap';

t.test('LIB-10: with a store a pool has after a restart what it had before', async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'tidewire-pool-'));
  t.teardown(() => rm(dataDir, { recursive: true, force: true }));
  const start = (): Promise<PartitionPool> =>
    PartitionPool.start({
      workers: 2,
      memoryBytes: 64 * 1024 * 1024,
      store: postgresStore({ dataDir }),
    });
  const first = await start();
  t.match(await first.put('m', 'safe', 1, { safe: true }), { isDurable: true });
  await first.increment('m', 'n', 41);
  await first.put('m', 'gone', 1);
  await first.remove('m', 'gone');
  t.equal(await first.stop(), 0, 'nothing is left');
  const second = await start();
  t.equal((await second.getAll('m', ['safe', 'n', 'gone'])).size, 2);
  t.equal((await second.increment('m', 'n')).value, 42);
  t.equal((await second.get('m', 'safe'))?.value, 1);
  await second.stop();
});
