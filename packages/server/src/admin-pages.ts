import { setTimeout as delay } from 'node:timers/promises';
import type { Gateway } from '@tidewire/gateway';
import { type AdminPage, jsonAnswer } from './admin-server.js';
import { Metrics } from './metrics.js';
import type { Status } from './status.js';

const COUNT_MS_MAX = 20_000;

/** What the operator may read, by path. */
export function adminPages(status: Status, gateway: Gateway): ReadonlyMap<string, AdminPage> {
  const metrics = new Metrics({ gateway, facts: () => status.facts() });
  return new Map<string, AdminPage>([
    ['/metrics', async () => ({ type: metrics.type, body: await metrics.text() })],
    ['/info', async () => jsonAnswer(status.facts())],
    ['/maps', async () => jsonAnswer(await counted(gateway))],
  ]);
}

async function counted(gateway: Gateway): Promise<object> {
  const isEnded = new AbortController();
  const late = delay(COUNT_MS_MAX, undefined, { signal: isEnded.signal, ref: false });
  const report = gateway.mapReport();
  const first = await Promise.race([report, late]).finally(() => isEnded.abort());
  late.catch(() => {}); // called off
  if (first !== undefined) return first;
  throw new Error('The workers did not count their records in time; ask again.');
}
