import { test } from 'tap';
import { threadOptions } from '#lib/thread-options.js';

test('RUN-41: a thread is started by its own code alone, whatever the process loads beforehand', (t) => {
  const { execArgv, env } = threadOptions({ PATH: '/bin', NODE_OPTIONS: '--import=x' });
  t.same(execArgv, ['--enable-source-maps']);
  t.same(env, { PATH: '/bin' });
  t.end();
});
