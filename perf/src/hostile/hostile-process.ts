/** Entry of a hostile process: attacks from `begin` to `end`, then reports. */
import { ATTACKS, type Attack } from './attacks.js';
import { HostileCall } from './hostile-call.js';
import type { AttackReport, FromHostile, HostilePlan, ToHostile } from './hostile-plan.js';

interface Running {
  readonly attack: Attack;
  readonly index: number;
  readonly calls: Set<HostileCall>;
  readonly ends: Record<string, number>;
  count: number;
  bytes: number;
}

const running: readonly Running[] = ATTACKS.map((attack, index) => ({
  attack,
  index,
  calls: new Set(),
  ends: {},
  count: 0,
  bytes: 0,
}));
let isOver = false;

function call(own: Running, plan: HostilePlan): void {
  if (isOver) return;
  own.count++;
  let stop = (): void => {};
  const address = `127.0.0.${plan.firstHost + own.index}`;
  const caller = new HostileCall(plan.port, address, (end) => {
    stop();
    own.calls.delete(caller);
    own.bytes += caller.bytes;
    own.ends[end] = (own.ends[end] ?? 0) + 1;
    setTimeout(() => call(own, plan), own.attack.pauseMs);
  });
  own.calls.add(caller);
  stop = own.attack.begin(caller, plan);
}

function begin(plan: HostilePlan): void {
  for (const own of running)
    for (let i = 0; i < own.attack.callers; i++) setTimeout(() => call(own, plan), i);
}

function reportOf({ attack, calls, count, ends, bytes }: Running): AttackReport {
  const open = [...calls].reduce((sum, { bytes: own }) => sum + own, 0);
  const { name, callers } = attack;
  return { name, callers, calls: count, ends: { ...ends, open: calls.size }, bytes: bytes + open };
}

function tell(message: FromHostile): void {
  process.send?.(message);
}

process.on('message', (message: ToHostile) => {
  if (message.type === 'begin') {
    begin(message.plan);
    tell({ type: 'begun' });
  } else {
    isOver = true;
    tell({ type: 'reports', reports: running.map(reportOf) });
  }
});
process.on('disconnect', () => process.exit(0));
