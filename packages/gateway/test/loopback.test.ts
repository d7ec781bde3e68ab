import t from 'tap';
import { isLoopback } from '#lib/loopback.js';

t.test('TRANS-27: a caller is local by an address of this machine only', async (t) => {
  const full = '0000:0000:0000:0000:0000';
  for (const address of [
    '127.0.0.1',
    '127.1.2.3',
    '::1',
    '::ffff:127.0.0.1',
    `${full}:0000:0000:0001`,
    `${full}:ffff:7f00:0001`,
  ])
    t.ok(isLoopback(address), address);
  for (const address of [
    '',
    '10.0.0.1',
    '1.127.0.1',
    '::ffff:10.127.0.1',
    '7f00::1',
    'fe80::1',
    `${full}:ffff:0a7f:0001`,
    `${full}:0000:7f00:0001`,
  ])
    t.notOk(isLoopback(address), address);
});
