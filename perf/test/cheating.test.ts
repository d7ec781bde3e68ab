import t from 'tap';
import { COMMON } from '#lib/measure/targets.js';
import { CHEATS, faultsOfCheat } from '#lib/selftest/self-test.js';
import { FakeServer } from './fake-server.js';

t.test('PERF-70: a load client that skips work fails the accounting', async (t) => {
  const server = FakeServer.start();
  t.teardown(() => server.stop());
  const { port } = server;
  const shape = { connections: 2, window: 16, subscribers: 1, keys: 1000 };
  const plan = { ...COMMON, ...shape, dialect: 'tidewire' as const, port };
  const target = { pid: process.pid, plan, stop: async () => {} };
  for (const [cheat, fault] of Object.entries(CHEATS))
    t.match((await faultsOfCheat(target, cheat)).join('; '), fault, cheat);
  t.same(await faultsOfCheat(target, 'none'), [], 'an honest client has no fault');
});
