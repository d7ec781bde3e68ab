import t, { type Test } from 'tap';
import { createWsTransport } from '#lib/transport/ws-transport.js';
import { Opcode, RawSocket } from './raw-socket.js';
import { FRAME_BYTES_MAX, Served, STRANGER_BYTES_MAX } from './served.js';
import { tlsContract, tlsFiles } from './tls.contract.js';
import { transportContract } from './transport.contract.js';

const differences = { tooLongCode: 1009, idleTimeoutMsMin: 1000 };

transportContract(createWsTransport, { ...differences, name: 'ws' });
transportContract(createWsTransport, { ...differences, name: 'ws, TLS', tls: tlsFiles('one') });
tlsContract(createWsTransport, 'ws');

for (const tls of [undefined, tlsFiles('one')]) {
  const on = tls === undefined ? 'ws' : 'ws, TLS';
  const start = async (t: Test): Promise<Served> => {
    const served = await Served.start(t, createWsTransport, { tls });
    served.isGreeting = false;
    return served;
  };
  const come = (served: Served): Promise<RawSocket> => RawSocket.open(served.port, served.isTls);

  t.test(
    `TRANS-33: a stranger that sends too much ends, whatever of it is complete (${on})`,
    async (t) => {
      const served = await start(t);
      const [long, many, greeted] = [await come(served), await come(served), await come(served)];
      await served.until(() => served.peers.length === 3);
      served.peers[2].connection.greet();
      const most = 'x'.repeat(FRAME_BYTES_MAX - 1);
      greeted.say({ opcode: Opcode.BINARY, body: most });
      const part = { opcode: Opcode.BINARY, body: 'x'.repeat(STRANGER_BYTES_MAX) };
      long.say({ ...part, length: BigInt(FRAME_BYTES_MAX - 1) });
      const ping = { opcode: Opcode.PING, body: 'x'.repeat(100) };
      many.say(...Array.from({ length: STRANGER_BYTES_MAX / 100 }, () => ping));
      await Promise.all([long.ended, many.ended]);
      await served.until(() =>
        served.peers.every(({ closes, messages }) => closes + messages.length === 1),
      );
      t.same(served.peers[2].messages, [most], 'who was greeted may send longer ones');
      t.same([long.closeCode, many.closeCode], [undefined, undefined], 'without a word');
    },
  );

  t.test(`TRANS-34: a stranger that is closed is told why and given no time (${on})`, async (t) => {
    const served = await start(t);
    const [known, stranger] = [await come(served), await come(served)];
    const [first, second] = served.peers;
    first.connection.greet();
    for (const { connection } of served.peers) {
      connection.send(Buffer.from('why'));
      connection.close(4003, 'late');
    }
    await served.until(() => second.closes === 1);
    t.equal(first.closes, 0, 'who was greeted may answer the close');
    await stranger.ended;
    t.equal(stranger.closeCode, 4003);
    t.equal(String(stranger.frames[0].body), 'why');
    known.destroy();
  });
}
