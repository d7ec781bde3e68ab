import { connect } from '@tidewire/client/node';
import { StartFrom } from '@tidewire/schemas';
import { type Test, test } from 'tap';
import { type CommandRun, ran, start } from './command-line.js';
import { FakeServer } from './fake-server.js';

interface Watching {
  readonly server: FakeServer;
  readonly put: (key: string, json: string) => Promise<unknown>;
  readonly watch: (...args: string[]) => Promise<CommandRun>;
}

async function watching(t: Test): Promise<Watching> {
  const server = await FakeServer.start();
  t.teardown(() => server.stop());
  return {
    server,
    put: (key, json) => ran(['put', 'm', key, json, '--url', server.url]),
    watch: async (...args) => {
      const run = start(['watch', 'm', ...args, '--url', server.url]);
      await run.stderr.said('watching');
      return run;
    },
  };
}

function lines({ stdout }: CommandRun): unknown[] {
  const texts = stdout.text.trim().split('\n');
  return texts.map((text) => JSON.parse(text));
}

test('CLI-60: watch --where prints what enters, changes and leaves, with --old the value before', async (t) => {
  const { server, put, watch } = await watching(t);
  const run = await watch('--where', 'n > 1', '--old', '--max-hz', '7');
  t.match(server.subscriptions, [
    { start: StartFrom.NOW, withOld: true, maxHz: 7, where: { test: { case: 'gt' } } },
  ]);
  t.match(run.stderr.text, 'watching what the predicate finds in map "m"');
  for (const json of ['{"n":1}', '{"n":2}', '{"n": 30000000000000000000001}', '"x"'])
    await put('k', json);
  await run.stdout.said('"leave"');
  run.stop();
  t.equal(await run.exit, 0);
  t.match(lines(run), [
    { kind: 'enter', key: 'k', value: { n: 2 } },
    { kind: 'update', previous: { n: 2 }, sequence: 3 },
    { kind: 'leave', key: 'k', stamp: Object, sequence: 4 },
  ]);
  t.match(run.stdout.text, '"value":{"n": 30000000000000000000001},"previous":{"n":2},"stamp"');
  t.match(run.stdout.text, '{"kind":"leave","key":"k","previous":{"n": 30000000000000000000001},');
});

test('CLI-61: watch --from snapshot prints first what stands', async (t) => {
  const { server, put, watch } = await watching(t);
  await put('a', '1');
  await put('b', '2');
  const run = await watch('b', '--from', 'snapshot');
  await put('b', '3');
  await run.stdout.said('"value":3');
  run.stop();
  await run.exit;
  t.match(lines(run), [
    { kind: 'put', key: 'b', value: 2 },
    { kind: 'put', key: 'b', value: 3 },
  ]);
  t.match(server.subscriptions, [{ key: 'b', start: StartFrom.SNAPSHOT }]);
});

test('CLI-62: watch goes on after a lost connection and tells what it could not make up for', async (t) => {
  const { server, put, watch } = await watching(t);
  const run = await watch();
  server.dropAll(1001, '');
  await run.stderr.said('nothing is missing any more');
  await put('a', '1');
  await run.stdout.said('"value":1');
  run.stop();
  t.equal(await run.exit, 0);
  t.match(run.stderr.text, /the connection is lost, trying again\n.*before the server had told/);
});

test('CLI-74: watch reads no more than its reader takes, and goes on when it does', async (t) => {
  const { server, watch } = await watching(t);
  const run = await watch();
  const client = await connect(server.url);
  t.teardown(() => client.close());
  run.stdout.stall();
  const value = 'x'.repeat(30_000);
  let puts = 0;
  while (server.unsentBytes < 1_000_000 && puts < 2000)
    await client.map('m').put(`${puts++}`, value);
  t.ok(puts < 2000, 'what was not read waits with the server');
  t.ok(run.stdout.writableLength < 1_000_000, 'and little of it with the command');
  run.stdout.unstall();
  await run.stdout.said(`"key":"${puts - 1}"`);
  run.stop();
  t.equal(await run.exit, 0);
  t.equal(lines(run).length, puts);
});

test('CLI-63: options of watch and list that make no sense are refused with one sentence', async (t) => {
  const wrong = [
    ['watch', 'm', 'k', '--where', 'n = 1'],
    ['watch', 'm', '--old'],
    ['watch', 'm', '--from', 'yesterday'],
    ['watch', 'm', '--max-hz', '0'],
    ['watch', 'm', '--max-hz', 'often'],
    ['watch', 'm', '--limit', '1'],
    ['list', 'm', '--descending'],
    ['list', 'm', '--limit', '-1'],
    ['list', 'm', '--limit', '1.5'],
    ['list', 'm', '--format', 'xml'],
    ['list', 'm', '--order-by', 'n = 1'],
    ['list', 'm', 'k'],
    ['count', 'm', '--limit', '1'],
    ['explain', 'm'],
    ['load', 'package.json'],
  ];
  for (const args of wrong)
    t.match(await ran(args), { exit: 2, out: '', error: /^tidewire: [^\n]+\.\n$/ }, args.join(' '));
});

test('CLI-64: a predicate that cannot be read ends with 2 and points at the place', async (t) => {
  const calls = [
    ['watch', 'm', '--where'],
    ['list', 'm', '--where'],
    ['count', 'm', '--where'],
    ['explain', 'm'],
  ];
  for (const call of calls) {
    const { exit, out, error } = await ran([...call, 'ä > 1\nand n ?']);
    t.same([exit, out], [2, '']);
    t.match(error, /^tidewire: At column 13: [^\n]+\.\n {2}ä > 1 and n \?\n {2} {12}\^\n$/);
  }
});
