import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Code, ValueKind } from '@tidewire/schemas';
import { type Test, test } from 'tap';
import { ran, start } from './command-line.js';
import { FakeServer } from './fake-server.js';

interface Listing {
  readonly server: FakeServer;
  readonly run: (...args: string[]) => ReturnType<typeof ran>;
}

async function listing(t: Test): Promise<Listing> {
  const server = await FakeServer.start();
  t.teardown(() => server.stop());
  return { server, run: (...args) => ran([...args, '--url', server.url]) };
}

let sequence = 0n;

function stored(server: FakeServer, key: string, value: string | Uint8Array): void {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  const valueKind = typeof value === 'string' ? ValueKind.JSON : ValueKind.BYTES;
  server.records.set(`m/${key}`, {
    value: bytes,
    valueKind,
    stamp: 1n,
    node: 1,
    sequence: ++sequence,
  });
}

test('CLI-65: list writes JSON lines or an array, values digit for digit, bytes in base64', async (t) => {
  const { server, run } = await listing(t);
  stored(server, 'a "1"', '{"n":\n30000000000000000000001, "n":1}');
  stored(server, 'b', Uint8Array.of(0, 255));
  stored(server, 'c', 'no json');
  const lines = [
    '{"key":"a \\"1\\"","value":{"n": 30000000000000000000001, "n":1}}',
    '{"key":"b","bytes":"AP8="}',
    `{"key":"c","bytes":"${Buffer.from('no json').toString('base64')}"}`,
  ];
  const plain = await run('list', 'm');
  t.same([plain.exit, plain.out, plain.error], [0, `${lines.join('\n')}\n`, '']);
  const array = await run('list', 'm', '--format', 'json');
  t.equal(array.out, `[\n${lines.join(',\n')}\n]\n`);
  t.equal((await run('list', 'other', '--format', 'json')).out, '[]\n');
  t.match(await run('list', 'other'), { exit: 0, out: '' });
});

test('CLI-66: what list writes, load stores again, bit for bit', async (t) => {
  const { server, run } = await listing(t);
  const values: [string, string | Uint8Array][] = [
    ['a "1"', '{"n":30000000000000000000001, "n":1}'],
    ['ä', '"\\ud800"'],
    ['null', 'null'],
    ['b', Uint8Array.of(0, 255)],
    ['none', new Uint8Array(0)],
  ];
  for (const [key, value] of values) stored(server, key, value);
  for (const format of ['jsonl', 'json']) {
    const path = join(t.testdirName, `listed.${format}`);
    t.testdir({ [`listed.${format}`]: (await run('list', 'm', '--format', format)).out });
    t.match(await run('load', path, '--map', format), { exit: 0, out: /^loaded 5 records/ });
    for (const [key, value] of values) {
      const copy = server.records.get(`${format}/${key}`);
      t.same(copy?.value, Buffer.from(value), `${format} ${key}`);
      t.equal(copy?.valueKind, typeof value === 'string' ? ValueKind.JSON : ValueKind.BYTES);
    }
  }
});

test('CLI-67: load without --key takes objects of key and value, and names what is none', async (t) => {
  const { server, run } = await listing(t);
  const lines = [
    '{"value": [1.0], "key":"a"}',
    '{"key":"b","value":1,"value":2}',
    '{"key":"c","bytes":"no base64!"}',
    '{"key":"d"}',
    '{"id":"e"}',
    '{"key":"f","value":3} ',
  ];
  const path = join(t.testdir({}), 'x.jsonl');
  await writeFile(path, lines.join('\n'));
  const { exit, out, error } = await run('load', path, '--map', 'm');
  t.match([exit, out], [1, /^loaded 3 records .* 3 refused/]);
  t.match(error, /:3: neither.*\n.*:4: neither.*\n.*:5: no field "key"/);
  t.same(
    ['a', 'b', 'f'].map((key) => server.text('m', key)),
    ['[1]', '2', '3'],
  );
  const csv = join(t.testdirName, 'x.csv');
  await writeFile(csv, 'key,n\na,1\n');
  t.match(await run('load', csv, '--map', 'm'), { exit: 2, error: /CSV file needs --key/ });
});

test('CLI-68: list takes a predicate, an order and a limit; an order shows no more than it may', async (t) => {
  const { server, run } = await listing(t);
  for (let i = 0; i < 1001; i++) stored(server, `k${i}`, `{"n":${i}}`);
  const some = await run('list', 'm', '--where', 'n >= 5', '--limit', '2', '--order-by', 'n');
  t.equal(some.out, '{"key":"k5","value":{"n":5}}\n{"key":"k6","value":{"n":6}}\n');
  t.equal(some.error, '', 'a limit that was asked for is nothing to tell');
  const down = await run('list', 'm', '--order-by', 'n', '--descending');
  t.match(down.out, /^\{"key":"k1000",/);
  t.equal(down.out.split('\n').length, 1001);
  t.match(down.error, /^tidewire: 1001 records match; .*\n$/);
  const whole = await run('list', 'm', '--order-by', 'n', '--where', 'n > 0');
  t.equal(whole.error, '');
  t.equal((await run('list', 'm')).out.split('\n').length, 1002);
});

test('CLI-69: on a terminal list writes a table that fits it and cannot steer it', async (t) => {
  const { server } = await listing(t);
  stored(server, 'köln', '{"name":"Köln","tags":["a","b"],"key":5}');
  stored(server, 'x', `{"name":"${'long '.repeat(20)}","other":true}`);
  stored(server, 'evil\u001b[2J', '"\\u001b[31mred\\u009b"');
  const listed = start(['list', 'm', '--url', server.url], {}, { columns: 60 });
  t.equal(await listed.exit, 0);
  const lines = listed.stdout.text.split('\n');
  t.match(lines[0], /^key +name +tags/);
  t.match(lines[1], /^─+ {2}─+/);
  t.match(lines[2], /^köln +Köln +/);
  t.match(lines[3], /^x +long .*…/);
  t.match(lines[4], /^evil·\[2J/);
  t.ok(lines.every((line) => [...line].length <= 60));
  t.notOk(['\u001b', '\u009b'].some((control) => listed.stdout.text.includes(control)));
});

test('CLI-70: CSV has a column for each field of the first records; what lacks one is told', async (t) => {
  const { server, run } = await listing(t);
  stored(server, 'a', '{"name":"x, \\"y\\"","n":1,"list":[1,{"b":2}]}');
  stored(server, 'b', '{"n":null,"text":"two\\nlines","key":"inner"}');
  stored(server, 'c', '7');
  for (let i = 0; i < 198; i++) stored(server, `k${i}`, '{"late":1}');
  const { out, error } = await run('list', 'm', '--format', 'csv');
  const [head, a, b] = out.split('\r\n');
  t.equal(head, 'key,name,n,list,text,value.key,value,late');
  t.equal(a, 'a,"x, ""y""",1,"[1,{""b"":2}]",,,,');
  t.equal(b, 'b,,null,,"two\nlines",inner,,');
  t.match(out, '\r\nc,,,,,,7,\r\n');
  t.equal(error, '');
  stored(server, 'z', '{"later":1}');
  const lossy = await run('list', 'm', '--format', 'csv');
  t.match([lossy.exit, lossy.error], [0, /^tidewire: 1 records have fields .*\n$/]);
});

test('CLI-71: list waits for its reader, ends with 0 when it is stopped, and shows a bar beside a file', async (t) => {
  const { server } = await listing(t);
  for (let i = 0; i < 300; i++) stored(server, `k${i}`, `"${'x'.repeat(1000)}"`);
  const stopped = start(['list', 'm', '--url', server.url]);
  stopped.stdout.stall();
  await stopped.stdout.said('"k0"');
  await count(server); // by then all rows have been sent
  stopped.stop();
  t.equal(await stopped.exit, 0);
  t.ok(stopped.stdout.writableLength < 20_000, 'what nobody reads is not written');
  const bar = start(['list', 'm', '--url', server.url]);
  bar.stderr.isTTY = true;
  t.equal(await bar.exit, 0);
  t.match(bar.stderr.text, 'listing');
  t.equal(bar.stdout.text.split('\n').length, 301);
});

/** Another connection's turn, behind all that the server has sent before. */
function count(server: FakeServer): ReturnType<typeof ran> {
  return ran(['count', 'm', '--url', server.url]);
}

test('CLI-72: count prints how many records there are, or match', async (t) => {
  const { server, run } = await listing(t);
  for (let i = 0; i < 10; i++) stored(server, `k${i}`, `{"n":${i}}`);
  t.match(await run('count', 'm'), { exit: 0, out: '10\n', error: '' });
  t.match(await run('count', 'm', '--where', 'n > 6'), { exit: 0, out: '3\n' });
  server.refuseQuery = () => ({ refusal: Code.FORBIDDEN, detail: 'Not you.' });
  t.match(await run('count', 'm'), {
    exit: 1,
    out: '',
    error: /^tidewire: FORBIDDEN: Not you\.\n$/,
  });
});

test('CLI-73: explain tells how a predicate is read and found, and asks no server', async (t) => {
  const explained = async (text: string): Promise<string> =>
    (await ran(['explain', 'm', text])).out;
  const indexed = await explained("n > 1 and not (kind != 'x' or kind != 'x')");
  t.match(indexed, /^read as {5}n > 1 and not \(kind != 'x' or kind != 'x'\)\n/);
  t.match(indexed, /\ncanonical {3}\S/);
  t.match(indexed, /\nfound by {4}\S/);
  const either = await explained("name prefix 'a' or tags contains 3");
  t.match(either, /\nfound by {4}.*\n {6}or {4}.*\nA change of map "m" costs this query nothing/);
  t.match(await explained('not exists n'), /every record is tried\nNo index serves it/);
  t.match(await explained('n in ()'), /nothing: it never holds/);
});
