// Sends mutated frames to a server of its own: `pnpm -s mutate [--frames N] [--transport uws|ws]`.
import { parseArgs } from 'node:util';
import { sendMutated } from './mutated-run.js';
import { RunningServer } from './running-server.js';
import { SEED, SeededRandom } from './seeded-random.js';

const { values } = parseArgs({
  options: {
    frames: { type: 'string', default: '1000000' },
    transport: { type: 'string' },
  },
});
const frames = Number(values.frames);
const ends: (() => unknown)[] = [];
const args = values.transport === undefined ? [] : ['--transport', values.transport];
const server = await RunningServer.start({ teardown: (end) => void ends.push(end) }, { args });
const counts = await sendMutated(server.url, frames, new SeededRandom(SEED), (sent) => {
  if (sent % 100_000 === 0) console.log(`${sent} sent`);
});
console.log(JSON.stringify({ frames, seed: SEED, ...counts }));
const { code } = await server.stop();
for (const end of ends) await end();
process.exitCode = code === 0 ? 0 : 1;
