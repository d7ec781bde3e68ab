import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import t, { type Test } from 'tap';
import { lossSentence } from '#lib/loss-sentence.js';
import { connect } from '#lib/node.js';

async function listening(t: Test, server: Server): Promise<number> {
  t.teardown(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const tlsFile = (name: string): Promise<string> =>
  readFile(new URL(`../../gateway/test/tls/${name}`, import.meta.url), 'utf8');

t.test('AUTH-38: mistakes with TLS are named by what to do', async (t) => {
  const [key, cert] = await Promise.all([tlsFile('one.key'), tlsFile('one.crt')]);
  const secure = await listening(t, createTlsServer({ key, cert }));
  const plain = await listening(t, createServer());
  await t.rejects(connect(`wss://127.0.0.1:${secure}`), {
    message: /^The certificate of wss:.* is not trusted \(.*\); NODE_EXTRA_CA_CERTS names a file/,
  });
  await t.rejects(connect(`ws://127.0.0.1:${secure}`), { message: /named by wss:\/\/\.$/ });
  await t.rejects(connect(`wss://127.0.0.1:${plain}`), {
    message: `Nobody speaks TLS at wss://127.0.0.1:${plain}; a server without TLS is named by ws://.`,
  });
});

t.test('AUTH-38: everything else is told as it was', async (t) => {
  const url = 'wss://a';
  t.equal(lossSentence(url, true, ''), 'Nobody answers at wss://a.');
  t.equal(lossSentence(url, true, 'away'), 'Nobody answers at wss://a: away.');
  t.equal(lossSentence(url, false, 'self-signed'), 'wss://a hung up: self-signed.');
  t.equal(lossSentence(url, false, ''), 'wss://a hung up.');
  const over = 'certificate has expired';
  t.equal(lossSentence(url, true, over), `The certificate of wss://a is not good: ${over}.`);
  t.notMatch(lossSentence('ws://a', true, 'connect ECONNREFUSED'), /wss/);
});
