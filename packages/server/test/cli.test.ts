import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Code, ValueKind } from '@tidewire/schemas';
import { type Test, test } from 'tap';
import { ran, start } from './command-line.js';
import { FakeServer } from './fake-server.js';

const TIDEWIRE = fileURLToPath(new URL('../dist/cli/tidewire.js', import.meta.url));

async function served(t: Test): Promise<FakeServer> {
  const server = await FakeServer.start();
  t.teardown(() => server.stop());
  return server;
}

test('CLI-1: put stores the JSON text as written and prints what became of it', async (t) => {
  const { url, text } = bound(await served(t));
  const json = '{"b":1, "a":1e400,"a":2}';
  const put = await ran(['put', 'm', 'foo', json, '--url', url]);
  t.match(put, { exit: 0, error: '' });
  t.match(JSON.parse(put.out), { outcome: 'APPLIED', level: 'MEMORY', partition: 85, sequence: 1 });
  t.equal(text('m', 'foo'), json);
  const safe = await ran(['--safe', '--url', url, 'put', 'm', 'foo', '--', '-5']);
  t.match(JSON.parse(safe.out), { outcome: 'APPLIED', level: 'DATABASE' });
  t.equal(text('m', 'foo'), '-5');
});

test('CLI-2: get prints the stored bytes exactly; an absent key ends with 1', async (t) => {
  const server = await served(t);
  const value = Buffer.from([0, 255, 10]);
  const more = { valueKind: ValueKind.BYTES, stamp: 1n, node: 1, sequence: 1n };
  server.records.set('m/k', { value, ...more });
  const found = await ran(['get', 'm', 'k', '--url', server.url]);
  t.equal(found.exit, 0);
  t.same(found.bytes, value);
  const absent = await ran(['get', 'm', 'other'], { TIDEWIRE_URL: server.url });
  t.match(absent, { exit: 1, out: '', error: /^tidewire: "other" has no value in map "m".*\.\n$/ });
});

test('CLI-3: remove takes the key away', async (t) => {
  const server = await served(t);
  await ran(['put', 'm', 'k', '1', '--url', server.url]);
  const removed = await ran(['remove', 'm', 'k', '--url', server.url]);
  t.equal(removed.exit, 0);
  t.match(JSON.parse(removed.out), { outcome: 'APPLIED' });
  t.equal(server.text('m', 'k'), undefined);
});

test('CLI-4: watch prints a JSON line an event, values digit for digit, until it is stopped', async (t) => {
  const server = await served(t);
  const watching = start(['watch', 'm', '--url', server.url]);
  await watching.stderr.said('watching map "m"');
  await ran(['put', 'm', 'k', '{"n":\n30000000000000000000001}', '--url', server.url]);
  await ran(['remove', 'm', 'k', '--url', server.url]);
  await watching.stdout.said('"remove"');
  watching.stop();
  t.equal(await watching.exit, 0);
  const [put, remove, end] = watching.stdout.text.split('\n');
  t.match(put, /^\{"kind":"put","key":"k","value":\{"n": 30000000000000000000001\},"stamp":\{"ms"/);
  t.match(JSON.parse(put), { sequence: 1, stamp: { counter: Number, node: Number } });
  t.match(JSON.parse(remove), { kind: 'remove', key: 'k', sequence: 2 });
  t.equal(end, '');
});

test('CLI-5: watch ends with 1 when the server shuts it out', async (t) => {
  const server = await served(t);
  const watching = start(['watch', 'm', 'k', '--url', server.url]);
  await watching.stderr.said('watching key "k" of map "m"');
  server.dropAll(4000 + Code.FORBIDDEN, 'No more.');
  t.equal(await watching.exit, 1);
  t.match(watching.stderr.text, /FORBIDDEN: No more\.\n$/);
});

test('CLI-6: info prints what the server tells over HTTP', async (t) => {
  const server = await served(t);
  server.info = { records: 12, bytes: 3400, bytesLimit: 9000, dirty: 2, flushLagMs: 80, epoch: 3 };
  const admin = server.url.replace('ws', 'http');
  const info = await ran(['info', '--admin', admin]);
  t.equal(info.exit, 0);
  server.info = { error: 'Ask from this machine.' };
  server.infoStatus = 403;
  const refused = await ran(['info', '--admin', admin]);
  t.match(refused, { exit: 1, out: '', error: /: Ask from this machine\.\n$/ });
  t.match(info.out, /^records +12\nbytes +3400\nlimit +9000\ndirty +2\nflush lag ms +80\n/);
});

test('CLI-7: refusals and an unreachable server end with 1 and one sentence', async (t) => {
  const server = await served(t);
  server.refuse = () => ({ refusal: Code.OVERLOADED, detail: 'The ring is full.' });
  const refused = await ran(['put', 'm', 'k', '1', '--url', server.url]);
  t.match(refused, {
    exit: 1,
    out: '',
    error: 'tidewire: OVERLOADED: The ring is full; try again later.\n',
  });
  const { url } = server;
  await server.stop();
  for (const args of [['get', 'm', 'k'], ['watch', 'm'], ['info']]) {
    const lost = await ran([...args, '--url', url]);
    t.match(lost, { exit: 1, error: /^tidewire: [^\n]*start the server[^\n]*\.\n$/ }, args[0]);
  }
  const surrogate = await ran(['get', 'm', '\ud800', '--url', url]);
  t.equal(surrogate.exit, 1);
});

test('CLI-8: wrong use ends with 2 and one sentence', async (t) => {
  const wrong = [
    [],
    ['fly'],
    ['get', 'm'],
    ['get', 'm', 'k', 'x'],
    ['get', 'm', 'k', '--safe'],
    ['put', 'm', 'k', 'text'],
    ['put', 'm', 'k', '-5'],
    ['get', 'm', 'k', '--url', 'http://x'],
    ['get', 'm', 'k', '--quick'],
    ['load', 'no-such-file.json', '--map', 'm', '--key', 'k'],
    ['load', 'package.json', '--key', 'k'],
    ['load', '.', '--map', 'm', '--key', 'k'],
  ];
  for (const args of wrong)
    t.match(await ran(args), { exit: 2, out: '', error: /^tidewire: [^\n]+\.\n$/ }, args.join(' '));
});

test('CLI-9: --help tells of all commands and of each, --version the version', async (t) => {
  const all = await ran(['--help']);
  t.equal(all.exit, 0);
  for (const name of [
    'put',
    'get',
    'remove',
    'increment',
    'watch',
    'list',
    'count',
    'explain',
    'load',
    'info',
    'dead-letters',
    'maps',
  ]) {
    t.match(all.out, `  ${name}`);
    t.match(await ran([name, '--help']), { exit: 0, out: `Usage: tidewire ${name}`, error: '' });
  }
  t.match(await ran(['--version']), { exit: 0, out: /^\d+\.\d+\.\d+\n$/ });
});

test('CLI-10: the program itself has output, sentence and exit code', async (t) => {
  const server = await served(t);
  const program = (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
    promisify(execFile)(process.execPath, [TIDEWIRE, ...args, '--url', server.url]);
  const put = await program('put', 'm', 'k', '"ä"');
  t.match(JSON.parse(put.stdout), { outcome: 'APPLIED' });
  t.equal((await program('get', 'm', 'k')).stdout, '"ä"');
  await t.rejects(program('get', 'm', 'x'), { code: 1, stderr: /has no value/ });
});

function bound(server: FakeServer): Pick<FakeServer, 'url' | 'text'> {
  return { url: server.url, text: (map, key) => server.text(map, key) };
}
