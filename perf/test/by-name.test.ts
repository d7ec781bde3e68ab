import t from 'tap';
import { readOptions, UsageError } from '#lib/options.js';
import { SCENARIOS } from '#lib/scenarios/catalogue.js';

t.test('PERF-49: long scenarios and workloads run only if they are named', async (t) => {
  const chosen = readOptions([], SCENARIOS).scenarios.map((scenario) => scenario.id);
  for (const id of ['P15', 'ycsb-a', 'soak']) t.notOk(chosen.includes(id), `${id} is left out`);
  t.ok(chosen.includes('P14'));
  const named = readOptions(['soak', 'YCSB-A', 'p15'], SCENARIOS).scenarios;
  t.same(
    named.map((scenario) => scenario.id),
    ['P15', 'ycsb-a', 'soak'],
  );
});

t.test('PERF-49: a soak takes its minutes and its rate from the command line', async (t) => {
  t.match(readOptions(['soak'], SCENARIOS), { minutes: 30, rate: 0 });
  const words = ['soak', '--minutes', '5', '--rate', '20000'];
  t.match(readOptions(words, SCENARIOS), { minutes: 5, rate: 20_000 });
  t.throws(() => readOptions(['soak', '--minutes', 'x'], SCENARIOS), UsageError);
});
