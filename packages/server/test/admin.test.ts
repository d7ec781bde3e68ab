import { request } from 'node:http';
import t from 'tap';
import { start } from './command-line.js';
import { put } from './operations.js';
import { RawClient } from './raw-client.js';
import { RunningServer } from './running-server.js';

const SECRET = 'a-token-that-nobody-may-read';
const VALUE = '"a value that nobody may read"';

const server = await RunningServer.start(t, { env: { LOG_LEVEL: 'debug' } });

async function ask(path: string, method = 'GET', host?: string) {
  const url = new URL(server.admin + path);
  return await new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    const headers = host === undefined ? {} : { host };
    request(url, { method, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode, body }));
    })
      .on('error', reject)
      .end();
  });
}

/** Values by name and labels. */
async function metrics(): Promise<ReadonlyMap<string, number>> {
  const { body } = await ask('/metrics');
  const lines = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

t.test('ADMIN-1: the operator is answered on a port beside, on this machine', async (t) => {
  t.match(new URL(server.admin).hostname, '127.0.0.1');
  t.match(await ask('/info'), { status: 200, body: /"epoch":1/ });
  const load = { streams: 0, mapTopics: 0, keyTopics: 0, predicateTopics: 0 };
  const predicates = { predicatesLinear: 0, predicatesFound: 0, predicatesConcerned: 0 };
  t.match(JSON.parse((await ask('/info')).body), { loads: [{ ...load, ...predicates }] });
  t.match(await ask('/healthz'), { status: 404, body: /\/metrics, \/info, \/maps/ });
});

t.test('ADMIN-2: no page of a browser reads it under another name', async (t) => {
  for (const host of ['evil.example', 'evil.example:7272', 'localhost.evil.example'])
    t.match(await ask('/maps', 'GET', host), { status: 403 }, host);
  for (const host of ['localhost:7272', '[::1]:7272', '127.0.0.1'])
    t.match(await ask('/info', 'GET', host), { status: 200 }, host);
  t.match(await ask('/info', 'POST'), { status: 405 });
});

t.test('ADMIN-3: metrics are in the format of Prometheus', async (t) => {
  const client = await RawClient.connect(server.url);
  for (let i = 0; i < 300; i++) await client.operate(put('hot', 'key', VALUE));
  const { status, body } = await ask('/metrics');
  t.equal(status, 200);
  t.match(body, /^# TYPE tidewire_stage_seconds histogram$/m);
  t.match(body, /^# TYPE tidewire_operations_total counter$/m);
  const stages = ['intake', 'worker', 'send', 'flush'];
  const countOf = (stage: string): number =>
    values.get(`tidewire_stage_seconds_count{stage="${stage}"}`) ?? 0;
  let values = await metrics();
  while (stages.some((stage) => countOf(stage) === 0)) {
    await client.ping(); // the database takes its time
    values = await metrics();
  }
  for (const stage of stages)
    t.equal(
      values.get(`tidewire_stage_seconds_bucket{stage="${stage}",le="+Inf"}`),
      countOf(stage),
      stage,
    );
  for (const name of [
    'tidewire_ring_occupancy_ratio{worker="0"}',
    'tidewire_outbound_ring_occupancy_ratio{worker="0"}',
    'tidewire_dirty_records',
    'tidewire_flush_lag_seconds',
    'tidewire_subscriptions',
    'tidewire_refusals_total{code="OVERLOADED"}',
    'tidewire_closed_connections_total{code="SLOW_CONSUMER"}',
    'tidewire_turned_away_total',
  ])
    t.type(values.get(name), 'number', name);
  t.equal(values.get('tidewire_operations_total'), 300);
  t.equal(values.get('tidewire_connections'), 1);
  client.close();
});

t.test('ADMIN-3: no line is told twice, and none is without help', async (t) => {
  const { body } = await ask('/metrics');
  const names = body.split('\n').flatMap((line) => /^([^#\s]+) /.exec(line)?.[1] ?? []);
  t.equal(new Set(names).size, names.length);
  const helped = new Set(
    body.split('\n').flatMap((line) => /^# HELP (\S+) \S/.exec(line)?.[1] ?? []),
  );
  for (const name of names) {
    const family = name.replace(/\{.*/, '');
    t.ok(helped.has(family) || helped.has(family.replace(/_(bucket|sum|count)$/, '')), name);
  }
});

t.test('ADMIN-10: maps prints what is where', async (t) => {
  const client = await RawClient.connect(server.url);
  await client.operate(put('cities', 'a b', '1'), put('cities', 'b', '1'));
  const { stdout, exit } = start(['maps', '--admin', server.admin]);
  t.equal(await exit, 0);
  const [head, ...rows] = stdout.text.split('\n');
  t.match(head, /^map +records +bytes +of map +of keys +of predicates$/);
  t.ok(rows.some((row) => /^cities +2 +\d+ +0 +0 +0$/.test(row)));
  t.ok(
    rows.some((row) => /^\d+\.\d % +hot +key$/.test(row)),
    'the key that was written 300 times',
  );
  client.close();
});

t.test('ADMIN-9: the log names connections, and nothing that is secret', async (t) => {
  const client = await RawClient.open(server.url);
  client.say({ case: 'hello', value: { protocolVersion: 1, node: 1, token: SECRET } });
  await client.until(() => client.welcome !== undefined);
  await client.operate(put('m', 'k', VALUE));
  client.say({ case: 'hello', value: { protocolVersion: 1, node: 1, token: SECRET } });
  await client.closed;
  await server.logs(/"code":"INVALID","reason":"Hello came twice\."/);
  await server.logs(/"connection":\d+,"msg":"connection closed"/);
  t.match(server.log, /"connection":1,"address":"127\.0\.0\.1","msg":"connection opened"/);
  t.notMatch(server.log, SECRET);
  t.notMatch(server.log, 'nobody may read');
});
