import t from 'tap';
import { PostgresStore } from '#lib/postgres-store.js';
import { storeContract } from './store.contract.js';
import { DebianServer, debianPrograms } from './support/debian-server.js';

const programs = debianPrograms();

if (programs === undefined)
  t.test(
    "Debian's Postgres keeps the contract of a store (skipped: its package is not installed)",
    { skip: true },
    async () => {},
  );
else {
  const server = await DebianServer.start(t, programs);
  t.test(`Debian's Postgres ${await server.version()} keeps the contract of a store`, async (t) => {
    storeContract(t, async () => {
      const connection = await server.freshDatabase();
      return () => new PostgresStore(connection);
    });
  });
}
