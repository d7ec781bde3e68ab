import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import type { TlsFiles } from '#lib/transport/transport.js';
import { RawSocket } from './raw-socket.js';
import { type CreateTransport, Served } from './served.js';

const TOPIC = 1;

export function tlsFiles(name: 'one' | 'two'): TlsFiles {
  const path = (kind: string): string =>
    fileURLToPath(new URL(`../test/tls/${name}.${kind}`, import.meta.url));
  return { key: path('key'), certificate: path('crt') };
}

/** What every transport promises of TLS beside all that holds without. */
export function tlsContract(create: CreateTransport, on: string): void {
  t.test(`TRANS-17: with key and certificate nothing but TLS is spoken (${on})`, async (t) => {
    const served = await Served.start(t, create, { tls: tlsFiles('one') });
    t.equal(await certificateOf(served.port), 'one');
    const plain = new RawSocket(served.port);
    t.notMatch(await Promise.race([plain.upgrade(), plain.ended]), /101/);
    t.equal(served.peers.length, 0);
  });

  t.test(`TRANS-32: who does not end the handshake is cut off (${on})`, async (t) => {
    const served = await Served.start(t, create, { tls: tlsFiles('one') });
    const [mute, slow] = [new RawSocket(served.port), new RawSocket(served.port)];
    const record = Buffer.from([
      0x16,
      3,
      1,
      0x40,
      0,
      1,
      0,
      0x3f,
      0xfc,
      3,
      3,
      ...Array(1000).fill(7),
    ]);
    let sent = 0;
    const trickle = setInterval(() => slow.write(record.subarray(sent, ++sent)), 50);
    t.teardown(() => clearInterval(trickle));
    await Promise.all([mute.ended, slow.ended]);
    t.ok(sent < record.length, 'not by its own fault');
    await served.until(() => served.ended.length === 2);
    t.equal(served.peers.length, 0);
  });

  t.test(
    `TRANS-18: a new certificate is for newcomers; who stands goes on and hears as before (${on})`,
    async (t) => {
      const files = await folderWith(t, 'one');
      const served = await Served.start(t, create, { tls: files });
      const standing = await served.client(t);
      await change(files, 'two');
      t.equal(await certificateOf(served.port), 'one', 'until it is told');
      await served.transport.reloadTls();
      t.equal(await certificateOf(served.port), 'two');
      const newcomer = await served.client(t);
      for (const { connection } of served.peers) connection.join(TOPIC);
      served.transport.publish(TOPIC, Buffer.from('both'));
      await Promise.all([standing.hears('both'), newcomer.hears('both')]);
      standing.socket.close();
      await served.until(() => served.peers[0].closes === 1);
      await change(files, 'one');
      await served.transport.reloadTls();
      t.equal(await certificateOf(served.port), 'one');
      served.transport.publish(TOPIC, Buffer.from('one'));
      await newcomer.hears('one');
      served.transport.close();
      t.equal(await newcomer.closed, 1001);
    },
  );

  t.test(
    `TRANS-19: files that cannot be used are refused and change nothing (${on})`,
    async (t) => {
      const files = await folderWith(t, 'one');
      const served = await Served.start(t, create, { tls: files });
      const standing = await served.client(t);
      await copyFile(tlsFiles('two').key, files.key);
      await t.rejects(served.transport.reloadTls(), /no key and certificate in PEM that belong/);
      t.equal(await certificateOf(served.port), 'one');
      served.peers[0].connection.send(Buffer.from('still here'));
      await standing.hears('still here');
      await t.rejects(Served.start(t, create, { tls: files }), /belong together/);
      const missing = { ...files, key: `${files.key}.none` };
      await t.rejects(Served.start(t, create, { tls: missing }), /none cannot be read: ENOENT/);
    },
  );
}

/** Of a newcomer, the common name. */
function certificateOf(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

async function folderWith(t: Test, name: 'one' | 'two'): Promise<TlsFiles> {
  const folder = t.testdir();
  const files = { key: join(folder, 'server.key'), certificate: join(folder, 'server.crt') };
  await change(files, name);
  return files;
}

async function change(files: TlsFiles, name: 'one' | 'two'): Promise<void> {
  await copyFile(tlsFiles(name).key, files.key);
  await copyFile(tlsFiles(name).certificate, files.certificate);
}
