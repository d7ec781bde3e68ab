import t from 'tap';
import type { Environment } from '#lib/measure/environment.js';
import { resultOf, unmeasured } from '#lib/measure/result.js';
import type { Sample, Scenario } from '#lib/measure/scenario.js';
import { readOptions, UsageError } from '#lib/options.js';
import { reportPage } from '#lib/report/html.js';
import { tableOf } from '#lib/report/table.js';
import { SCENARIOS } from '#lib/scenarios/catalogue.js';

const ENVIRONMENT: Environment = {
  commit: 'abc',
  cpu: 'a processor',
  cores: 2,
  node: 'v20',
  platform: 'linux-x64',
  peers: { redis: '7' },
};
const SCENARIO: Scenario = {
  id: 'P0',
  title: 'a <test>',
  unit: '1/s',
  bar: 0.5,
  goal: 1,
  better: 'higher',
  open: 'nothing',
};

function samples(values: readonly number[], faults: string[] = []): Sample[] {
  return values.map((value) => ({ value, notes: ['a note'], faults }));
}

const SAMPLES = { ours: samples([60, 90, 50]), theirs: samples([100, 100, 50]) };
const NO_FINISH = { notes: [], faults: [] };

t.test(
  'PERF-19: a result has medians, the median of the ratios, and the agreed shape',
  async (t) => {
    const result = resultOf(SCENARIO, SAMPLES, NO_FINISH, ENVIRONMENT);
    const shape = 'id title ours theirs ratio unit rounds bar goal pass notes environment'.split(
      ' ',
    );
    t.same(Object.keys(result).sort(), shape.sort());
    t.match(result, { ours: 60, theirs: 100, ratio: 0.9, pass: true });
    t.same(result.rounds[2], { ours: 50, theirs: 50, ratio: 1 });
    t.same(JSON.parse(JSON.stringify(result)), result, 'and survives JSON');
  },
);

t.test('PERF-20: a missed bar and a fault both fail, whichever way is better', async (t) => {
  const lower = { ...SCENARIO, better: 'lower' as const, bar: 0.8, goal: 0.5 };
  t.equal(resultOf(lower, SAMPLES, NO_FINISH, ENVIRONMENT).pass, false);
  const strict = { ...SCENARIO, bar: 0.95 };
  t.equal(resultOf(strict, SAMPLES, NO_FINISH, ENVIRONMENT).pass, false);
  const faulty = { ...SAMPLES, ours: samples([60, 90, 50], ['3 answers missing']) };
  const result = resultOf(SCENARIO, faulty, NO_FINISH, ENVIRONMENT);
  t.equal(result.pass, false);
  t.match(result.notes[0], 'FAULT: 3 answers missing');
});

t.test('PERF-21: what is not built fails, a missing peer is skipped', async (t) => {
  const unbuilt = unmeasured(SCENARIO, 'P0 needs much', false, ENVIRONMENT);
  t.match(unbuilt, { ours: null, ratio: null, pass: false, rounds: [], notes: ['P0 needs much'] });
  const skipped = unmeasured(SCENARIO, 'skipped: apt-get install redis-server', null, ENVIRONMENT);
  const table = tableOf([resultOf(SCENARIO, SAMPLES, NO_FINISH, ENVIRONMENT), unbuilt, skipped]);
  const lines = table.split('\n');
  t.match(lines[0], /^id +ours +theirs +unit +ratio +bar +goal/);
  t.match(lines[1], /^P0 +60\.00 +100 +1\/s +0\.90 +0\.5 +1 +bar$/);
  t.match(lines[2], /FAILED$/);
  t.match(lines[3], /skipped$/);
});

t.test('PERF-22: the report is one page without references to elsewhere', async (t) => {
  const result = resultOf(SCENARIO, SAMPLES, NO_FINISH, ENVIRONMENT);
  const page = reportPage([{ result, samples: SAMPLES }], ENVIRONMENT);
  t.match(page, '<svg');
  t.match(page, 'a &lt;test&gt;');
  t.notMatch(page, /src=|href=|<script|http/);
  t.notMatch(page, 'NaN');
});

t.test(
  'PERF-23: the command line chooses scenarios and refuses what it does not know',
  async (t) => {
    t.same(
      readOptions(['p4', 'P1', '--quick'], SCENARIOS).scenarios.map((scenario) => scenario.id),
      ['P1', 'P4'],
    );
    t.equal(readOptions(['--quick'], SCENARIOS).rounds, 3);
    t.equal(readOptions([], SCENARIOS).rounds, 5);
    for (const words of [['P99'], ['--rounds', '2'], ['--rounds', 'x'], ['--what']])
      t.throws(() => readOptions(words, SCENARIOS), UsageError);
  },
);

t.test('PERF-24: every figure of the goals is in the catalogue', async (t) => {
  const ids = SCENARIOS.map((scenario) => scenario.id).filter((id) => id.startsWith('P'));
  const wanted = ['P1', 'P1b', ...Array.from({ length: 22 }, (_, index) => `P${index + 2}`)];
  t.same(ids, wanted);
});
