import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from '@tidewire/client/node';
import { hashOf, partitionOf } from '@tidewire/core';
import t from 'tap';
import { RunningServer } from './running-server.js';

const MODULE = fileURLToPath(new URL('./doomed-processors.js', import.meta.url));
const WORKERS = 2;
const KEYS = 500;
const ownerOf = (key: string): number => partitionOf(hashOf(Buffer.from(key))) % WORKERS;
const keyOf = (worker: number): string =>
  ['a', 'b', 'c', 'd', 'e', 'f'].find((key) => ownerOf(key) === worker) as string;

t.test(
  'POOL-11, OUTAGE-21: a worker that keeps dying ends the server, with all workers flushed',
  async (t) => {
    const doom = join(tmpdir(), `tidewire-doom-${process.pid}`);
    t.teardown(() => rm(doom, { force: true }));
    const args = ['--processors', MODULE, '--workers', String(WORKERS)];
    const server = await RunningServer.start(t, { args, env: { DOOM: doom } });
    const client = await connect(server.url);
    t.teardown(() => client.close());
    const map = client.map<number>('m');
    const ended = server.end.then(() => undefined);
    const doomed = Array.from({ length: KEYS }, (_, i) => `doomed ${i}`).filter(
      (key) => ownerOf(key) === 0,
    );
    await Promise.all(doomed.map((key) => map.put(key, 1))); // not flushed yet when its worker dies
    map.execute(keyOf(0), 'bringDoom').catch(() => {}); // nobody is left to answer it
    let acked = 0;
    const write = (n: number): Promise<unknown> => map.put(keyOf(1), n).catch(() => undefined);
    while ((await Promise.race([write(acked + 1), ended])) !== undefined) acked++;
    t.match(await server.end, { code: 1, sentence: /doomed/ });
    t.ok(acked > 0);
    client.close();
    await rm(doom);
    await server.restart();
    const later = await connect(server.url);
    t.teardown(() => later.close());
    const kept = await Promise.all(doomed.map((key) => later.map('m').get(key)));
    t.equal(kept.filter((entry) => entry !== undefined).length, doomed.length, 'of the doomed one');
    const record = await later.map<number>('m').get(keyOf(1));
    t.ok(record !== undefined && record.value >= acked, `${acked} acked, ${record?.value} stands`);
  },
);
