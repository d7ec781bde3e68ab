// A process of many clients: connects each to its own key, waits for its event, and reports.
import { createInterface } from 'node:readline';
import { RawClient } from './raw-client.js';

/** So many handshakes at a time; the others wait. */
const CONNECTING_MAX = 200;

const [url, first, count] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];

async function join(index: number): Promise<RawClient> {
  const client = await RawClient.connect(url, index + 1);
  await client.subscribe('crowd', `k${index}`);
  if (client.errors.length > 0) throw new Error(client.errors[0].detail);
  return client;
}

const clients: RawClient[] = [];
let next = 0;
await Promise.all(
  Array.from({ length: CONNECTING_MAX }, async () => {
    while (next < count) {
      const index = first + next++;
      clients[index - first] = await join(index);
    }
  }),
);
process.stdout.write(`joined ${clients.length}\n`);
await Promise.all(clients.map((client) => client.until(() => client.events.length > 0)));
process.stdout.write('heard\n');
// Once the last events are out: nobody has heard anything but its own key, once.
for await (const line of createInterface({ input: process.stdin })) if (line === 'report') break;
await Promise.all(clients.map((client) => client.ping()));
const right = clients.filter(
  ({ events }, i) => events.length === 1 && events[0].key === `k${first + i}`,
);
process.stdout.write(`right ${right.length}\n`);
process.exit(0);
