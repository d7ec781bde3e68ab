import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { runProgram, startProgram } from './program.js';
import { RunningServer } from './running-server.js';

const server = await RunningServer.start(t);
const run = (...args: string[]) => runProgram(...args, '--url', server.url);

t.test('CLI-40: put, get and remove do on the server what they say', async (t) => {
  const json = '{"b":1,"a":1e400}';
  const put = await run('put', 'cli', 'k', json);
  t.match(put, { exit: 0, error: '' });
  t.match(JSON.parse(String(put.out)), { outcome: 'APPLIED', level: 'MEMORY', sequence: 1 });
  const safe = await run('put', 'cli', 'safe', '2', '--safe');
  t.match(JSON.parse(String(safe.out)), { outcome: 'APPLIED', level: 'DATABASE' });
  const sql = await server.sql();
  const [row] = await sql`SELECT value FROM tidewire.record WHERE map = 'cli' AND key = 'safe'`;
  t.equal(String(row['value']), '2');
  t.equal(String((await run('get', 'cli', 'k')).out), json);
  const removed = await run('remove', 'cli', 'k');
  t.match(JSON.parse(String(removed.out)), { outcome: 'APPLIED' });
  t.match(await run('get', 'cli', 'k'), { exit: 1, error: /has no value/ });
});

t.test(
  'CLI-41: watch prints the events of other processes and ends with 0 when interrupted',
  async (t) => {
    const watching = startProgram('watch', 'watched', 'k', '--url', server.url);
    await watching.said('watching');
    await run('put', 'watched', 'other', '0');
    await run('put', 'watched', 'k', '{"n":1}');
    await run('remove', 'watched', 'k');
    await watching.said('"remove"');
    watching.interrupt();
    const { exit, out } = await watching.end;
    t.equal(exit, 0);
    const lines = String(out).trim().split('\n');
    t.match(
      lines.map((line) => JSON.parse(line)),
      [
        { kind: 'put', key: 'k', value: { n: 1 } },
        { kind: 'remove', key: 'k' },
      ],
    );
  },
);

t.test('CLI-42: info prints what the server holds', async (t) => {
  const { exit, out } = await run('info', '--admin', server.admin);
  t.equal(exit, 0);
  t.match(
    String(out),
    /^records +\d+\nbytes +\d+\nlimit +\d+\ndirty +\d+\nflush lag ms +\d+\nepoch +1\n/,
  );
  t.match(String(out), /database +up\n/);
});

t.test('CLI-43: load stores the good records, names the bad ones and ends with 1', async (t) => {
  const dir = t.testdir({
    'good.csv': 'id,n\na,1\nb,2\n',
    'bad.jsonl': `{"id":"c"}\n{"id":\n{"id":"${'x'.repeat(1025)}"}\n`,
  });
  const good = await run('load', join(dir, 'good.csv'), '--map', 'loaded', '--key', 'id', '--safe');
  t.match([good.exit, String(good.out)], [0, /^loaded 2 records/]);
  const bad = await run('load', join(dir, 'bad.jsonl'), '--map', 'loaded', '--key', 'id');
  t.match([bad.exit, String(bad.out)], [1, /^loaded 1 records .* 2 refused/]);
  t.match(bad.error, /bad\.jsonl:2: /);
  t.match(bad.error, /bad\.jsonl:3: TOO_LARGE/);
  t.equal(String((await run('get', 'loaded', 'b')).out), '{"id":"b","n":"2"}');
});

t.test('CLI-44: refusals end with 1, wrong use with 2, each with one sentence', async (t) => {
  const sentence = /^tidewire: [^\n]+\.\n$/;
  t.match(await run('put', 'm'.repeat(129), 'k', '1'), { exit: 1, error: sentence });
  t.match(await run('put', 'm', 'k', 'no json'), { exit: 2, error: sentence });
  t.match(await run('fly'), { exit: 2, error: sentence });
  const nobody = await runProgram('get', 'm', 'k', '--url', 'ws://127.0.0.1:1');
  t.match(nobody, { exit: 1, error: sentence });
});

t.test('CLI-80: what list writes on one map, load stores in another', async (t) => {
  const lines = Array.from({ length: 500 }, (_, i) => `{"id":"k${i}","n":${i},"big":1e400}`);
  const dir = t.testdir({ 'first.jsonl': `${lines.join('\n')}\n` });
  await run('load', join(dir, 'first.jsonl'), '--map', 'first', '--key', 'id');
  const listed = await run('list', 'first');
  t.equal(String(listed.out).trim().split('\n').length, 500);
  await writeFile(join(dir, 'listed.jsonl'), listed.out);
  const loaded = await run('load', join(dir, 'listed.jsonl'), '--map', 'second');
  t.match([loaded.exit, String(loaded.out)], [0, /^loaded 500 records/]);
  t.equal(String((await run('get', 'second', 'k7')).out), lines[7]);
  t.equal(String((await run('count', 'second', '--where', 'n >= 100')).out), '400\n');
  const top = await run('list', 'second', '--order-by', 'n', '--descending', '--limit', '2');
  t.same(String(top.out).match(/"id":"k\d+"/g), ['"id":"k499"', '"id":"k498"']);
});

t.test('CLI-81: watch --where hears of what comes to match and what no longer does', async (t) => {
  await run('put', 'matched', 'a', '{"n":5}');
  const watching = startProgram(
    ...['watch', 'matched', '--where', 'n > 1', '--old', '--from', 'snapshot', '--url', server.url],
  );
  await watching.said('watching');
  await run('put', 'matched', 'b', '{"n":0}');
  await run('put', 'matched', 'b', '{"n":2}');
  await run('put', 'matched', 'a', '{"n":1}');
  await watching.said('"leave"');
  watching.interrupt();
  const lines = String((await watching.end).out)
    .trim()
    .split('\n');
  t.match(
    lines.map((line) => JSON.parse(line)),
    [
      { kind: 'enter', key: 'a', value: { n: 5 } },
      { kind: 'enter', key: 'b', value: { n: 2 } },
      { kind: 'leave', key: 'a', previous: { n: 5 } },
    ],
  );
});
