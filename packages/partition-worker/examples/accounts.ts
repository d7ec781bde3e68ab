import { PartitionPool } from '@tidewire/partition-worker';

interface Account {
  readonly owner: string;
  readonly balance: number;
}

const pool = await PartitionPool.start({
  workers: 2,
  memoryBytes: 64 * 1024 * 1024,
  processors: new URL('./processors.mjs', import.meta.url),
});
const poor = await pool.subscribe<Account>(
  'accounts',
  ({ kind, key, value }) => console.log(kind, key, value?.balance ?? '-'),
  { where: 'balance < 50' },
);
await pool.put('accounts', 'ann', { owner: 'Ann', balance: 100 });
await Promise.all(Array.from({ length: 100 }, () => pool.increment('visits', 'ann')));
const account = await pool.execute<Account>('accounts', 'ann', 'withdraw', 60);
await pool.execute('accounts', 'ann', 'withdraw', 60).catch(({ message }) => console.log(message));
console.log(account?.value, (await pool.get<number>('visits', 'ann'))?.value);
poor.close();
await pool.stop();
