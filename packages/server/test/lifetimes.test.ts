import { Code, EventKind } from '@tidewire/schemas';
import t from 'tap';
import { get, put, SAFE } from './operations.js';
import { RawClient } from './raw-client.js';
import { RunningServer } from './running-server.js';

t.setTimeout(120_000);

const server = await RunningServer.start(t, { args: ['--map-ttl', 'short=300ms'] });

/** Resolves once the client has heard that all these are removed. */
async function removed(watcher: RawClient, ...keys: string[]): Promise<void> {
  const isRemoved = (key: string): boolean =>
    watcher.events.some((event) => event.key === key && event.kind === EventKind.REMOVE);
  await watcher.until(() => keys.every(isRemoved));
}

t.test(
  'LIFE-44: a running server removes what expires, for watchers and in the table',
  async (t) => {
    const watcher = await RawClient.connect(server.url, 3);
    await watcher.subscribe('short');
    const client = await RawClient.connect(server.url, 7);
    await client.operate(put('short', 'by the map', '1'), put('short', 'own', '1', { ttlMs: 50n }));
    await removed(watcher, 'own', 'by the map');
    await server.until(({ dirty }) => dirty === 0);
    const sql = await server.sql();
    const rows = await sql`SELECT key, deleted FROM tidewire.record WHERE map = 'short'`;
    t.same(
      rows.map(({ deleted }) => deleted),
      [true, true],
    );
    client.close();
    watcher.close();
  },
);

t.test(
  'LIFE-45: what a client had put while connected goes after kill -9 and a start too',
  async (t) => {
    const client = await RawClient.connect(server.url, 7);
    await client.operate(
      put('room', 'ann', '1', { ...SAFE, whileConnected: true }),
      put('room', 'table', '1', SAFE),
    );
    const sql = await server.sql();
    const marked =
      await sql`SELECT key FROM tidewire.records WHERE map = 'room' AND while_connected`;
    t.same(
      marked.map(({ key }) => key),
      ['ann'],
    );
    await server.restart();
    const watcher = await RawClient.connect(server.url, 3);
    await watcher.subscribe('room');
    await removed(watcher, 'ann');
    const results = await watcher.operate(get('room', 'ann'), get('room', 'table'));
    t.match(results, [{ outcome: Code.ABSENT }, { outcome: Code.FOUND }]);
    watcher.close();
  },
);
