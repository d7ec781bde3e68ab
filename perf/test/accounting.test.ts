import { Code } from '@tidewire/core';
import t, { type Test } from 'tap';
import { LoadClient } from '#lib/load/load-client.js';
import { type LoadPlan, type LoadReport, type RunPlan, runOf } from '#lib/load/plan.js';
import { faultsOf } from '#lib/measure/accounting.js';
import { FakeServer, type Misbehaviour } from './fake-server.js';

const OPERATIONS = 4000;

const PLAN: Omit<LoadPlan, 'port'> = {
  dialect: 'tidewire',
  connections: 3,
  window: 32,
  operationsPerFrame: 1,
  keys: 500,
  distribution: 'zipf',
  firstKey: 0,
  getShare: 0,
  modifyShare: 0,
  valueBytes: 100,
  stamped: true,
  safe: false,
  subscribers: 2,
  subscription: 'map',
  predicates: 0,
  seed: 1,
  token: '',
};

const RUN: RunPlan = { ...runOf(OPERATIONS), drainMs: 1000 };

async function load(
  t: Test,
  options: { misbehaviour?: Misbehaviour; plan?: Partial<LoadPlan>; run?: Partial<RunPlan> },
): Promise<{ report: LoadReport; faults: string[]; server: FakeServer }> {
  const server = FakeServer.start(options.misbehaviour);
  t.teardown(() => server.stop());
  const plan = { ...PLAN, ...options.plan, port: server.port };
  const client = await LoadClient.open(plan);
  t.teardown(() => client.close());
  const report = await client.run({ ...RUN, ...options.run });
  return { report, faults: faultsOf(report, plan), server };
}

t.test('PERF-9: an honest server has no faults, every operation and event counted', async (t) => {
  const { report, faults, server } = await load(t, {});
  t.same(faults, []);
  t.match(report.account, { sent: OPERATIONS, acked: OPERATIONS, refused: 0 });
  t.equal(report.events.received, 2 * OPERATIONS);
  t.equal(server.operations.length, OPERATIONS);
});

t.test('FAN-10: events in groups are counted one by one, and a lost one is seen', async (t) => {
  const plan = { operationsPerFrame: 16, connections: 2 };
  const whole = await load(t, { plan, misbehaviour: { groupsEvents: true } });
  t.same(whole.faults, []);
  t.equal(whole.report.events.received, 2 * OPERATIONS);
  const less = await load(t, { plan, misbehaviour: { groupsEvents: true, loseEventEvery: 100 } });
  t.equal(less.faults.length, 1);
  t.equal(less.report.events.received, 2 * (OPERATIONS - OPERATIONS / 100));
});

t.test('PERF-10: sixteen operations a frame and gets add up too', async (t) => {
  const batched = await load(t, { plan: { operationsPerFrame: 16, connections: 2 } });
  t.same(batched.faults, []);
  t.equal(batched.report.account.codes[Code.APPLIED], OPERATIONS);
  const gets = await load(t, { plan: { getShare: 0.5 } });
  t.same(gets.faults, []);
  const { codes } = gets.report.account;
  t.equal(codes[Code.APPLIED] + codes[Code.FOUND], OPERATIONS);
  t.ok(Math.abs(codes[Code.FOUND] - OPERATIONS / 2) < 5 * Math.sqrt(OPERATIONS / 4), 'half gets');
});

t.test('PERF-11: a server that answers twice is seen', async (t) => {
  const { faults } = await load(t, { misbehaviour: { twiceEvery: 500 } });
  t.match(faults, [/8 answers to no open request/]);
});

t.test('PERF-12: a server that skips an answer is seen', async (t) => {
  const misbehaviour = { neverEvery: OPERATIONS };
  const run = { operations: 0, settleMs: 0, measureMs: 1500 };
  const { report, faults } = await load(t, { misbehaviour, run, plan: { subscribers: 0 } });
  t.ok(report.account.unanswered > 0);
  t.match(faults, [/never answered/]);
});

t.test('PERF-13: refusals count as refused, and are no faults', async (t) => {
  const { report, faults } = await load(t, { misbehaviour: { refuseEvery: 10 } });
  t.same(faults, []);
  t.match(report.account, { acked: OPERATIONS - 400, refused: 400 });
});

t.test('PERF-14: a lost event is seen', async (t) => {
  const { faults } = await load(t, { misbehaviour: { loseEventEvery: 1000 } });
  t.match(faults, [/8000 events were due, 7992 received/]);
});

t.test('PERF-15: a client that skips work is seen', async (t) => {
  const { report } = await load(t, {});
  const skipped = { ...report.account, sent: report.account.sent + 5 };
  t.match(faultsOf({ ...report, account: skipped }, { ...PLAN, port: 0 }), [
    /sent 4005, but acked/,
  ]);
  const idle = { ...report.account, sent: 0, acked: 0, codes: report.account.codes.map(() => 0) };
  const events = { received: 0, disordered: 0 };
  t.match(faultsOf({ ...report, account: idle, events }, { ...PLAN, port: 0 }), [
    'nothing was sent',
  ]);
});

t.test('PERF-16: a slowed server acks less', async (t) => {
  const run = { operations: 0, settleMs: 100, measureMs: 800 };
  const plan = { subscribers: 0 };
  const burnMicros = 500;
  const slow = await load(t, { run, plan, misbehaviour: { burnMicros } });
  t.same(slow.faults, []);
  t.ok(slow.report.acked / slow.report.seconds < 1e6 / burnMicros, 'no more than it can');
});

t.test('PERF-17: an open loop keeps its rate and counts from the intended time', async (t) => {
  const run = { operations: 0, settleMs: 200, measureMs: 1000, rate: 1000 };
  const plan = { subscribers: 0 };
  const { report, faults } = await load(t, { run, plan });
  t.same(faults, []);
  t.ok(report.account.sent <= 1000 * 1.5, 'never ahead of its schedule');
  const slow = await load(t, { run, plan, misbehaviour: { burnMicros: 2000 } });
  const worst = slow.report.latency.at(-1)?.micros ?? 0;
  t.ok(worst > 100_000, `the queue of an overloaded server shows in the latency: ${worst} µs`);
});
