/** A pool with a store, in the folder of the argument, one of whose workers is ended again and again. */
import { PartitionPool } from '@tidewire/partition-worker';
import { postgresStore } from '@tidewire/persistence';

const KEYS = 500;

const pool = await PartitionPool.start({
  workers: 2,
  memoryBytes: 64 * 1024 * 1024,
  processors: new URL('./doomed-processors.js', import.meta.url),
  store: postgresStore({ dataDir: process.argv[2] }),
});
const keys = Array.from({ length: KEYS }, (_, i) => `k${i}`);
await Promise.all(keys.map((key) => pool.put('m', key, 1)));
process.stdout.write(`${KEYS}`); // acknowledged, and not flushed yet
await pool.execute('m', 'k0', 'bringDoom').catch(() => {});
