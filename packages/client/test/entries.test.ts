import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { WebSocketServer } from 'ws';
import { connect } from '#lib/node.js';

const LIB = join(dirname(fileURLToPath(import.meta.url)), '../dist');

test('CLIENT-80: the browser entry reaches no Node built-in, no ws, no Buffer', (t) => {
  const foreign = new Set<string>();
  const seen = new Set<string>();
  const walk = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = readFileSync(join(LIB, file), 'utf8');
    t.notMatch(text, /\b(Buffer|process)\b[.(]/, file);
    for (const [, name] of text.matchAll(/(?:from|import\() ?'([^']+)'/g))
      name.startsWith('./') ? walk(name.slice(2)) : foreign.add(name);
  };
  walk('index.js');
  t.same([...foreign].sort(), ['@bufbuild/protobuf', '@tidewire/core', '@tidewire/schemas']);
  t.ok(seen.size > 10);
  t.end();
});

test('CLIENT-81: the Node entry speaks over a real socket', async (t) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  t.teardown(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  server.on('connection', (socket) => {
    socket.once('message', () => socket.close(4025, 'No entry.'));
  });
  await t.rejects(connect(`ws://127.0.0.1:${port}`), {
    name: 'UNAUTHENTICATED',
    message: 'No entry.',
  });
});
