import { Code, OperationKind, ValueKind } from '@tidewire/schemas';
import { test } from 'tap';
import { ran } from './command-line.js';
import { FakeServer } from './fake-server.js';

test('CLIENT-156: increment adds an integer of any length and prints the new one', async (t) => {
  const server = await FakeServer.start();
  t.teardown(() => server.stop());
  const arguments_: string[] = [];
  server.refuse = ({ kind, value }) => {
    t.equal(kind, OperationKind.INCREMENT);
    arguments_.push(new TextDecoder().decode(value));
    const sum = Buffer.from('30000000000000000000001');
    return { outcome: Code.APPLIED, value: sum, valueKind: ValueKind.JSON };
  };
  const more = ['--url', server.url];
  const added = await ran(['increment', 'm', 'k', ...more]);
  t.match(added, { exit: 0, out: '30000000000000000000001\n', error: '' });
  await ran(['increment', 'm', 'k', ...more, '--', '-12345678901234567890']);
  t.same(arguments_, ['1', '-12345678901234567890']);
  t.match(await ran(['increment', 'm', 'k', '1.5', ...more]), { exit: 2, error: /integer/ });
});
