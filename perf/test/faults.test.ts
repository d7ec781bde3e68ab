import { Code } from '@tidewire/core';
import t from 'tap';
import { emptyAccount } from '#lib/load/ledger.js';
import type { LoadReport } from '#lib/load/plan.js';
import { faultsOf } from '#lib/measure/accounting.js';
import { planOf } from '#lib/measure/targets.js';

const PLAN = planOf({ getShare: 1 }, { dialect: 'tidewire', port: 1 });

function reportOf(codes: Partial<Record<Code, number>>): LoadReport {
  const account = emptyAccount();
  for (const [code, count] of Object.entries(codes)) {
    account.codes[Number(code)] = count;
    account.sent += count;
    if (Number(code) < Code.OVERLOADED) account.acked += count;
    else account.refused += count;
  }
  return {
    seconds: 1,
    acked: account.acked,
    clientCpuSeconds: 0,
    cpu: [],
    account,
    events: { received: 0, disordered: 0 },
    delivered: 0,
    latency: [],
    series: [],
  };
}

t.test('PERF-48: a get that finds nothing of a key that was written is a fault', async (t) => {
  t.same(faultsOf(reportOf({ [Code.FOUND]: 10 }), PLAN), []);
  t.match(faultsOf(reportOf({ [Code.FOUND]: 10, [Code.ABSENT]: 1 }), PLAN), [/found nothing/]);
  const refused = reportOf({ [Code.FOUND]: 10, [Code.ABSENT]: 1, [Code.OVERLOADED]: 1 });
  t.same(faultsOf(refused, PLAN), [], 'unless writes were refused');
});
