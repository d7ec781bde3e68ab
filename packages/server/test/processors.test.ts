import { fileURLToPath } from 'node:url';
import { connect, type TidewireError } from '@tidewire/client/node';
import { Code } from '@tidewire/core';
import t from 'tap';
import { RunningServer } from './running-server.js';

const MODULE = fileURLToPath(new URL('./account-processors.js', import.meta.url));

const refusal = async (promise: Promise<unknown>): Promise<TidewireError> =>
  promise.then(
    () => t.fail('it was not refused') as never,
    (error: TidewireError) => error,
  );

t.test('PROC-5: clients execute the processors that the server was started with', async (t) => {
  const server = await RunningServer.start(t, { args: ['--processors', MODULE] });
  const client = await connect(server.url);
  t.teardown(() => client.close());
  const accounts = client.map<number>('accounts');
  await accounts.put('ann', 100);
  t.equal((await accounts.execute('ann', 'withdraw', 60))?.value, 40);
  t.equal((await accounts.execute('ann', 'withdraw', 0, { safe: true }))?.value, 40);
  t.match(await refusal(accounts.execute('ann', 'withdraw', 60)), {
    code: Code.FAILED,
    detail: 'withdraw threw RangeError: 40 is less than 60',
    present: { value: 40 },
  });
  t.match(await refusal(accounts.execute('ann', 'nobody')), {
    code: Code.INVALID,
    message: /^There is no processor "nobody"; there are: .*withdraw/,
  });
  t.match(await refusal(accounts.execute('ann', 'exitAt', 40)), {
    code: Code.POISON,
    message: 'exitAt ended its worker twice and was skipped.',
  });
  t.equal((await accounts.get('ann'))?.value, 40);
  t.match(server.log, /"sha256":"[0-9a-f]{64}"/);
});

t.test('PROC-10: clients change several records of one partition at once', async (t) => {
  const server = await RunningServer.start(t, { args: ['--processors', MODULE] });
  const client = await connect(server.url);
  t.teardown(() => client.close());
  const [current, savings] = ['current', 'savings'].map((name) => client.map<number>(name));
  await current.put('ann', 100);
  const others = [{ map: 'savings', key: 'ann' }];
  const moved = await current.execute('ann', 'transfer', 60, { others, safe: true });
  t.equal(moved?.value, 40);
  t.equal((await savings.get('ann'))?.value, 60);
  t.match(await refusal(current.execute('ann', 'transfer', 60, { others })), {
    code: Code.FAILED,
    present: { value: 40 },
  });
  t.equal((await savings.get('ann'))?.value, 60);
  const elsewhere = [{ map: 'savings', key: 'bob' }];
  const refused = await refusal(current.execute('ann', 'transfer', 1, { others: elsewhere }));
  t.equal(refused.code, Code.INVALID);
  const many = Array.from({ length: 64 }, (_, i) => ({ map: `m${i}`, key: 'ann' }));
  const tooMany = await refusal(current.execute('ann', 'transfer', 1, { others: many }));
  t.equal(tooMany.code, Code.TOO_LARGE);
});

t.test(
  'PROC-6: a server without processors forbids them; a bad module ends its start',
  async (t) => {
    const server = await RunningServer.start(t);
    const client = await connect(server.url);
    t.teardown(() => client.close());
    t.match(await refusal(client.map('m').execute('k', 'withdraw', 1)), {
      code: Code.FORBIDDEN,
      message: /started without --processors/,
    });
    const broken = await RunningServer.launch(t, { args: ['--processors', '/no/such.mjs'] });
    t.match(await broken.end, {
      code: 1,
      sentence: /processors in \/no\/such\.mjs cannot be loaded/,
    });
  },
);
