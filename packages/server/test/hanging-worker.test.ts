import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { put, SAFE } from './operations.js';
import { RawClient } from './raw-client.js';
import { makeFolder, RunningServer } from './running-server.js';

t.test('OUTAGE-20: a worker that hangs while the server starts is replaced', async (t) => {
  const folder = await makeFolder();
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const server = await RunningServer.start(t, {
    env: {
      NODE_OPTIONS: `--import ${new URL('./worker-hanger.js', import.meta.url)}`,
      HANG_ONCE: join(folder, 'hung'),
    },
  });
  await server.logs(/It took no turn for too long/);
  const client = await RawClient.connect(server.url, 1);
  t.match(await client.operate(put('m', 'k', '1', SAFE)), [{ refusal: 0 }]);
  client.close();
  t.match(await server.stop(), { code: 0 });
});
