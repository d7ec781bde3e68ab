import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';

const SCRIPT = fileURLToPath(new URL('../../../scripts/try-packed.mjs', import.meta.url));

t.test('LIB-9: the packed packages run the typed example in a fresh project', async (t) => {
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT]);
  t.equal(
    stdout,
    "enter ann 40\nwithdraw threw RangeError: 40 is less than 60\n{ owner: 'Ann', balance: 40 } 100\n",
  );
});
