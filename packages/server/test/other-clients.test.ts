import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Code } from '@tidewire/schemas';
import t, { type Test } from 'tap';
import { put, textOf } from './operations.js';
import { RawClient } from './raw-client.js';
import { RunningServer } from './running-server.js';

const MAP = 'from-python';
const IMAGE = fileURLToPath(new URL('../../../schemas/released.binpb', import.meta.url));
/** A Python of one's own need not have what the system's has. */
const PYTHONS = ['python3', '/usr/bin/python3'];

interface OtherClient {
  readonly name: string;
  readonly modules: string;
  readonly args: readonly string[];
  /** What it hears last, besides. */
  readonly end: readonly object[];
}

const CLIENTS: readonly OtherClient[] = [
  { name: 'websockets', modules: 'websockets', args: [], end: [] },
  {
    name: 'wsproto',
    modules: 'wsproto, google.protobuf',
    args: [IMAGE],
    end: [{ heard: 'close', code: 1000 }],
  },
];

for (const transport of ['by default', 'ws'])
  for (const client of CLIENTS) {
    const python = PYTHONS.find((command) => hasModules(command, client.modules));
    const skip = python === undefined && `there is no Python with ${client.modules}`;
    t.test(
      `TRANS-26: a Python client on ${client.name} writes and watches, transport ${transport}${skip ? `: ${skip}` : ''}`,
      { skip },
      (t) => writesAndWatches(t, transport, client, python as string),
    );
  }

async function writesAndWatches(
  t: Test,
  transport: string,
  { name, args, end }: OtherClient,
  python: string,
): Promise<void> {
  const server = await RunningServer.start(t, {
    args: transport === 'ws' ? ['--transport', 'ws'] : [],
  });
  const watcher = await RawClient.connect(server.url);
  t.teardown(() => watcher.close());
  await watcher.subscribe(MAP);
  const script = new URL(`../test/other-clients/with_${name}.py`, import.meta.url);
  const child = spawn(python, [fileURLToPath(script), server.url, ...args]);
  const [out, errors] = [text(child.stdout), text(child.stderr)];
  const ended = once(child, 'close');
  await Promise.race([watcher.until(() => watcher.events.length === 1), ended]);
  const value = `{"by":"${name}"}`;
  const [event] = watcher.events;
  t.equal(event?.key, 'clé', child.exitCode === null ? '' : await errors);
  t.equal(textOf(event.value), value);
  await watcher.operate(put(MAP, 'done', '"by the test"'));
  t.equal((await ended)[0], 0, await errors);
  t.same(
    (await out).trim().split('\n').sort(),
    [
      { heard: 'welcome', version: 1 },
      { heard: 'subscribed', id: 1 },
      { heard: 'result', request: 1, outcome: Code.APPLIED, value: '' },
      { heard: 'result', request: 2, outcome: Code.FOUND, value },
      { heard: 'event', key: 'clé', value },
      { heard: 'event', key: 'done', value: '"by the test"' },
      ...end,
    ]
      .map((line) => JSON.stringify(line))
      .sort(), // results and events may come in either order
  );
}

function hasModules(command: string, modules: string): boolean {
  try {
    execFileSync(command, ['-c', `import ${modules}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
