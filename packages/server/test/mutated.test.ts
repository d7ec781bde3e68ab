import t from 'tap';
import { sendMutated } from './mutated-run.js';
import { RunningServer } from './running-server.js';
import { SEED, SeededRandom } from './seeded-random.js';

const FRAMES = 5000;

for (const transport of ['by default', 'ws'])
  t.test(
    `FUZZ-2: ${FRAMES} mutated frames, transport ${transport}: the server goes on, others undisturbed (seed ${SEED})`,
    async (t) => {
      const args = transport === 'ws' ? ['--transport', 'ws'] : [];
      const server = await RunningServer.start(t, { args });
      const counts = await sendMutated(server.url, FRAMES, new SeededRandom(SEED));
      t.comment(JSON.stringify(counts));
      const { refused, closed, valid, raw } = counts;
      t.equal(refused + closed + valid + raw, FRAMES);
      for (const count of [refused, closed, valid, raw]) t.ok(count > FRAMES / 50);
      await server.until(({ connections }) => connections === 0);
      t.equal((await server.stop()).code, 0);
    },
  );
