import { parseArgs } from 'node:util';
import { PostgresStore } from '#lib/postgres-store.js';
import { differencesOf } from './outage-report.js';
import { OutageRun } from './outage-run.js';
import { TestServer } from './support/database.js';

const HELP = `Usage: pnpm -s outage [--writes 10000000] [--keys 100000]

Overwrites records for a simulated hour without a database, has it return, writes SAFE at once, and compares
the table. Exits 1 if memory grew by more than 5 %, the SAFE answer took a second, the
return more than two minutes, or the table differs.`;

const DRAIN_SECONDS_MAX = 120;

const { values } = parseArgs({
  options: {
    writes: { type: 'string', default: '10000000' },
    keys: { type: 'string', default: '100000' },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  const teardowns: (() => unknown)[] = [];
  const server = await TestServer.start({
    teardown: (action) => void teardowns.unshift(action),
  });
  const connection = await server.freshDatabase();
  const store = new PostgresStore(connection);
  try {
    await store.open({ takeOver: false });
    const [writes, keys] = [Number(values.writes), Number(values.keys)];
    const report = await new OutageRun(store).run({ writes, keys });
    const { bytesBefore, bytesAfter, pauseMs, answerMs, seconds, failures } = report;
    const growth = bytesAfter / bytesBefore - 1;
    const safeMs = pauseMs + answerMs;
    const wrong = await differencesOf(server.sql(connection), report.expected);
    console.log(
      `${writes} overwrites of ${keys} keys in ${seconds.outage.toFixed(1)} s, drained in ${seconds.drain.toFixed(1)} s`,
    );
    console.log(
      `memory of the store ${bytesBefore} bytes, grown by ${(100 * growth).toFixed(1)} %`,
    );
    console.log(`${failures} attempts failed; reported: ${report.statuses.join(', ')}`);
    console.log(
      `SAFE answered after ${safeMs.toFixed(0)} ms, ${pauseMs.toFixed(0)} of them paused`,
    );
    console.log(`table of ${report.expected.size} rows differs at ${wrong.length}`);
    const isLate = seconds.drain > DRAIN_SECONDS_MAX;
    process.exitCode = growth > 0.05 || safeMs > 1000 || isLate || wrong.length > 0 ? 1 : 0;
  } finally {
    await store.close();
    for (const teardown of teardowns) await teardown();
  }
}

if (values.help) console.log(HELP);
else await main();
