import { Code } from '@tidewire/core';
import { eventsPerWrite, type LoadPlan, type LoadReport } from '../load/plan.js';

/** Above this share of a core the load generator may be what limits the figure. */
const CLIENT_BOUND = 0.9;

/** Whatever does not add up in a run, a sentence each. */
export function faultsOf(report: LoadReport, plan: LoadPlan): string[] {
  const { account, events } = report;
  const faults: string[] = [];
  if (account.sent === 0) faults.push('nothing was sent');
  if (account.sent !== account.acked + account.refused + account.unanswered)
    faults.push(
      `sent ${account.sent}, but acked ${account.acked} + refused ${account.refused} + ` +
        `unanswered ${account.unanswered}`,
    );
  if (account.unanswered > 0) faults.push(`${account.unanswered} operations were never answered`);
  if (account.unknown > 0) faults.push(`${account.unknown} answers to no open request`);
  const published = account.codes[Code.APPLIED] * eventsPerWrite(plan);
  if (events.received !== published)
    faults.push(`${published} events were due, ${events.received} received`);
  if (account.codes[Code.ABSENT] > 0 && account.refused === 0)
    faults.push(`${account.codes[Code.ABSENT]} gets of keys that exist found nothing`);
  if (events.disordered > 0) faults.push(`${events.disordered} events out of order`);
  return faults;
}

/** What a reader should know about a run beside its figure. */
export function remarksOf(report: LoadReport): string[] {
  const { account, clientCpuSeconds, seconds } = report;
  const share = clientCpuSeconds / seconds;
  const codes = account.codes
    .map((count, code) => (count > 0 ? `${Code[code] ?? code} ${count}` : ''))
    .filter((text) => text !== '');
  return [
    `client CPU ${Math.round(100 * share)} %${share > CLIENT_BOUND ? ', CLIENT-BOUND' : ''}`,
    `sent ${account.sent}: ${codes.join(', ')}`,
  ];
}
