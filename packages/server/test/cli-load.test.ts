import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Code } from '@tidewire/schemas';
import { type Test, test } from 'tap';
import { ran, start } from './command-line.js';
import { FakeServer } from './fake-server.js';

interface Loading {
  readonly server: FakeServer;
  readonly load: (
    name: string,
    content: string | Buffer,
    ...more: string[]
  ) => ReturnType<typeof ran>;
}

async function loading(t: Test): Promise<Loading> {
  const server = await FakeServer.start();
  t.teardown(() => server.stop());
  const dir = t.testdir({});
  const load: Loading['load'] = async (name, content, ...more) => {
    const path = join(dir, name);
    await writeFile(path, content);
    return ran(['load', path, '--map', 'm', '--key', 'id', '--url', server.url, ...more]);
  };
  return { server, load };
}

const SUMMARY = /^loaded (\d+) records in \d+\.\d s \(\d+\/s\), (\d+) refused\n$/;

test('CLI-20: every JSON line is stored as it stands, whatever the ends of lines', async (t) => {
  const { server, load } = await loading(t);
  const lines = [
    '{"id":"a", "n":1e400}',
    '{"id":7}',
    ' {"id":"c","id":"d"}',
    '{"id":"ä","x":"\\ud800"}',
  ];
  const loaded = await load(
    'x.jsonl',
    `\ufeff${lines[0]}\r\n\n${lines[1]}\n \n${lines[2]}\n${lines[3]}`,
  );
  t.match(loaded, { exit: 0, out: SUMMARY, error: '' });
  t.same(
    ['a', '7', 'd', 'ä'].map((key) => server.text('m', key)),
    lines,
  );
  t.equal(server.records.size, 4);
});

test('CLI-21: a JSON array is cut into its records wherever the chunks end', async (t) => {
  const { server, load } = await loading(t);
  const records = Array.from({ length: 3000 }, (_, i) => ({
    id: `k${i}`,
    text: 'a " ], [ } { \\ ä'.repeat(i % 5),
    list: [[i], { x: [] }],
  }));
  const loaded = await load('x.json', JSON.stringify(records, undefined, 2));
  t.match(loaded, { exit: 0, out: /^loaded 3000 records/, error: '' });
  t.ok(records.every((record) => server.text('m', record.id) === JSON.stringify(record)));
  t.equal(server.records.size, 3000);
  t.ok(server.inFlightSeen <= 64, 'no more at once than the server allows');
});

test('CLI-22: CSV rows are stored by their header, quotes and line ends within fields included', async (t) => {
  const { server, load } = await loading(t);
  const loaded = await load('x.csv', '\ufeffid,name\r\n1,"a ""b"", c"\r\n2,"two\nlines"\r\n3,\r\n');
  t.match(loaded, { exit: 0, out: /^loaded 3 records/ });
  t.same(
    ['1', '2', '3'].map((key) => server.text('m', key)),
    ['{"id":"1","name":"a \\"b\\", c"}', '{"id":"2","name":"two\\nlines"}', '{"id":"3","name":""}'],
  );
});

test('CLI-23: without a telling name the content tells the format', async (t) => {
  const { server, load } = await loading(t);
  t.match(await load('a.txt', ' [{"id":"a"}]'), { exit: 0 });
  t.match(await load('b.dat', '{"id":"b"}\n'), { exit: 0 });
  t.match(await load('c', 'id\nc\n'), { exit: 0 });
  t.match(await load('d.json', '{"id":"d"}\n{"id":"e"}\n'), { exit: 0 });
  t.match(await load('empty.jsonl', ''), { exit: 0, out: /^loaded 0 records/ });
  t.match(await load('empty.json', '[ ]'), { exit: 0, out: /^loaded 0 records/ });
  t.same([...server.records.keys()].sort(), ['m/a', 'm/b', 'm/c', 'm/d', 'm/e']);
});

test('CLI-24: bad records are named with their line and counted, the others are stored', async (t) => {
  const { server, load } = await loading(t);
  const lines = [
    '{"id":"good"}',
    '{"id":',
    '[1]',
    '{"name":"x"}',
    '{"id":null}',
    '{"id":12345678901234567890}',
    '{"id":""}',
    `{"id":"long","x":"${'x'.repeat(40_000)}"}`,
    `{"id":"longer","x":"${'x'.repeat(1_100_000)}"}`,
    '{"id":"last"}',
  ];
  const bytes = Buffer.concat([
    Buffer.from(`${lines.join('\n')}\n{"id":"`),
    Buffer.of(0xff, 0x22, 0x7d),
  ]);
  const { exit, out, error } = await load('x.jsonl', bytes);
  t.match([exit, out], [1, SUMMARY]);
  t.same(SUMMARY.exec(out)?.slice(1), ['2', '9']);
  const named = error
    .trim()
    .split('\n')
    .map((line) => /x\.jsonl:(\d+): (.*)$/.exec(line)?.slice(1, 3));
  t.match(
    named.sort((a, b) => Number(a?.[0]) - Number(b?.[0])),
    [
      ['2', /not JSON/],
      ['3', 'not an object'],
      ['4', 'no field "id"'],
      ['5', /neither text nor a number/],
      ['6', /too many digits/],
      ['7', /INVALID/],
      ['8', /TOO_LARGE/],
      ['9', /longer than/],
      ['11', /not valid UTF-8/],
    ],
  );
  t.same([...server.records.keys()].sort(), ['m/good', 'm/last']);
});

test('CLI-25: bad elements and rows are named with their line too', async (t) => {
  const { load } = await loading(t);
  const array = await load('x.json', '[\n{"id":"a"},\n{id:"b"},\n{"id":"c"}\n]\n');
  t.match(array, {
    exit: 1,
    out: /^loaded 2 records .* 1 refused\n/,
    error: /x\.json:3: not JSON/,
  });
  const csv = await load('x.csv', 'id,n\n1,2\n3\n4,5,6\n7,8\n');
  t.match(csv, { exit: 1, out: /^loaded 2 records .* 2 refused\n/ });
  t.match(csv.error, /x\.csv:3: not as many.*\n.*x\.csv:4: not as many/);
});

test('CLI-26: a file that is no such file ends with a sentence after what could be read', async (t) => {
  const { server, load } = await loading(t);
  const broken: [string, string, RegExp][] = [
    ['a.json', '[{"id":"a"},{"id":"b"', /ends within the record that begins at line 1/],
    ['b.json', '[{"id":"a"}', /ends within the record|end is missing/],
    ['c.json', '[{"id":"a"},\n]', /line 2 is no place for "]"/],
    ['d.json', '[{"id":"a"}]\n[]', /line 2 is no place for "\["/],
    ['e.csv', 'id,n\n1,"2\n', /not CSV/],
  ];
  for (const [name, content, sentence] of broken)
    t.match(await load(name, content), { exit: 1, out: /^loaded/, error: sentence }, name);
  t.match(await load('f.csv', 'name\nx\n'), { exit: 2, error: /no column "id"/ });
  t.match(await load('g.csv', 'id,x,x\n1,2,3\n'), { exit: 2, error: /two columns "x"/ });
  t.ok(server.records.has('m/a'));
});

test('CLI-27: what meets a full server is tried again under its stamp; the later of a key wins', async (t) => {
  const { server, load } = await loading(t);
  const stamps: bigint[] = [];
  server.refuse = ({ key, value, stamp }) => {
    if (key !== 'k' || !Buffer.from(value).includes('first')) return undefined;
    stamps.push(stamp);
    return stamps.length > 2 ? undefined : { refusal: Code.OVERLOADED, retryAfterMs: 1 };
  };
  const loaded = await load('x.jsonl', '{"id":"k","v":"first"}\n{"id":"k","v":"second"}\n');
  t.match(loaded, { exit: 0, out: /^loaded 2 records .* 0 refused, 1 of them older/ });
  t.equal(new Set(stamps).size, 1);
  t.match(server.text('m', 'k'), /second/);
});

test('CLI-28: refusals of the server are named with their line; --safe waits for the database', async (t) => {
  const { server, load } = await loading(t);
  const levels = new Set<number>();
  server.refuse = ({ key, ackLevel }) => {
    levels.add(ackLevel);
    return key === 'b' ? { refusal: Code.FORBIDDEN, detail: 'Not you.' } : undefined;
  };
  const loaded = await load('x.jsonl', '{"id":"a"}\n{"id":"b"}\n', '--safe');
  t.match(loaded, { exit: 1, out: /^loaded 1 .* 1 refused/, error: /:2: FORBIDDEN: Not you\./ });
  t.same([...levels], [2]);
});

test('CLI-29: on a terminal a bar shows how far it is', async (t) => {
  const { server } = await loading(t);
  const path = join(t.testdirName, 'x.jsonl');
  await writeFile(path, '{"id":"a"}\n{}\n');
  const running = start(['load', path, '--map', 'm', '--key', 'id', '--url', server.url]);
  running.stderr.isTTY = true;
  t.equal(await running.exit, 1);
  t.match(running.stderr.text, 'loading');
  t.match(running.stderr.text, /x\.jsonl:2: no field "id"\n/);
});
