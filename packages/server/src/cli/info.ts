import { askAdmin } from './admin.js';
import type { Call, Command } from './command.js';
import { Exit } from './io.js';

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
  usage: 'info [--admin URL]',
  summary: 'print what the server holds and how far the database is behind',
  details: [
    'A line each: records, bytes they take, limit of bytes, dirty (records the database does not',
    'have yet), flush lag in milliseconds, epoch, database, dead letters since the start, connections.',
    'Asks the port for operators: --admin, else TIDEWIRE_ADMIN_URL, else the one after that of --url.',
  ],
  operands: [0, 0],
  flags: ['admin'],
  run: async ({ url, io, flags: { admin } }: Call) => {
    const facts = await askAdmin('/info', { admin, url, io });
    for (const [name, label] of Object.entries(FACTS))
      io.stdout.write(`${label.padEnd(14)}${String(facts[name] ?? 'unknown')}\n`);
    return Exit.DONE;
  },
};
