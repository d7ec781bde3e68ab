import { readFile } from 'node:fs/promises';
import t from 'tap';
import { Attacker, Bystander } from './attacker.js';
import { hostileFrame } from './hostile-frames.js';
import { RunningServer } from './running-server.js';
import { SEED, SeededRandom } from './seeded-random.js';

const FRAMES = 100_000;
const QUARTERS = 4;
const CONNECTIONS = 32;
/** Of the process, between the end of the first and of the last quarter. */
const GROWTH_BYTES_MAX = 32 * 1024 * 1024;
/** The honest client asks after so many hostile frames. */
const ASK_EVERY = 50;

// So little for records that what grows is not pages of them that are touched for the first time, and
// so little for objects that it is not garbage that nobody had a reason to collect.
const args = ['--memory', '128M'];
const env = { NODE_OPTIONS: '--max-old-space-size=96' };
const server = await RunningServer.start(t, { args, env });
const port = Number(new URL(server.url).port);

t.test(
  `CONN-12: ${FRAMES} hostile frames: a named error or close code each, no crash, no growth, others undisturbed (seed ${SEED})`,
  async (t) => {
    const random = new SeededRandom(SEED);
    const honest = await Bystander.enter(server.url, CONNECTIONS);
    t.teardown(() => honest.client.close());
    const counts = { refused: 0, closed: 0, valid: 0 };
    const residents: number[] = [];
    let sent = 0;
    for (let quarter = 1; quarter <= QUARTERS; quarter++) {
      const end = (FRAMES / QUARTERS) * quarter;
      const attack = async (): Promise<void> => {
        const attacker = new Attacker(port);
        while (sent < end) {
          if (++sent % ASK_EVERY === 0) await honest.ask();
          counts[await attacker.send(hostileFrame(random))]++;
        }
        attacker.leave();
      };
      await Promise.all(Array.from({ length: CONNECTIONS }, attack));
      residents.push(await residentBytes(server.pid));
    }
    t.comment(JSON.stringify({ ...counts, residents }));
    t.equal(counts.refused + counts.closed + counts.valid, sent);
    t.ok(counts.refused > FRAMES / 4 && counts.closed > FRAMES / 4, 'of each sort there were many');
    t.ok(
      residents[QUARTERS - 1] - residents[0] < GROWTH_BYTES_MAX,
      `memory: ${residents.join(', ')}`,
    );
    t.equal(honest.client.errors.length, 0);
    await server.until(({ connections }) => connections === 1);
    t.pass('no session is left behind');
  },
);

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}
