import type { Call, Command } from './command.js';
import { Exit, FailedError } from './io.js';

const INFO_TIMEOUT_MS = 10_000;

/** What the server tells, in the order printed. */
const FACTS = {
  records: 'records',
  bytes: 'bytes',
  bytesLimit: 'limit',
  dirty: 'dirty',
  flushLagMs: 'flush lag ms',
  epoch: 'epoch',
  database: 'database',
  buried: 'dead letters',
  connections: 'connections',
} as const;

export const info: Command = {
  name: 'info',
  usage: 'info',
  summary: 'print what the server holds and how far the database is behind',
  details: [
    'A line each: records, bytes they take, limit of bytes, dirty (records the database does not',
    'have yet), flush lag in milliseconds, epoch, database, dead letters since the start, connections.',
  ],
  operands: [0, 0],
  flags: [],
  run: async ({ url, io }: Call) => {
    const facts = await fetchInfo(infoUrl(url));
    for (const [name, label] of Object.entries(FACTS))
      io.stdout.write(`${label.padEnd(14)}${String(facts[name] ?? 'unknown')}\n`);
    return Exit.DONE;
  },
};

/** `GET /info` lies on the WebSocket's own host and port. */
function infoUrl(url: string): string {
  const address = new URL('/info', url);
  address.protocol = address.protocol === 'wss:' ? 'https:' : 'http:';
  return address.href;
}

async function fetchInfo(url: string): Promise<Readonly<Record<string, unknown>>> {
  const response = await fetch(url, { signal: AbortSignal.timeout(INFO_TIMEOUT_MS) }).catch(() => {
    throw new FailedError(`Nobody answers at ${url}; start the server, or name it with --url`);
  });
  const answer: unknown = await response.json().catch(() => undefined);
  const facts = typeof answer === 'object' && answer !== null ? answer : {};
  if (response.ok && 'records' in facts) return facts;
  const reason = 'error' in facts ? facts.error : 'Is that Tidewire?';
  throw new FailedError(`${url} gave no information (HTTP ${response.status}): ${reason}`);
}
