import { type Call, type Command, withClient } from './command.js';
import { Exit, FailedError } from './io.js';

export const get: Command = {
  name: 'get',
  usage: 'get MAP KEY',
  summary: 'print the value of a key',
  details: [
    'Prints the stored bytes exactly as they are, whether JSON or not; a line end follows',
    'only on a terminal. A key without a value ends with exit code 1.',
  ],
  operands: [2, 2],
  flags: [],
  run: async ({ operands: [map, key], url, token, io }: Call) => {
    const entry = await withClient({ url, token }, (client) => client.map(map).get(key));
    if (!entry) throw new FailedError(`"${key}" has no value in map "${map}"; put one first`);
    io.stdout.write(entry.bytes);
    if (io.stdout.isTTY) io.stdout.write('\n');
    return Exit.DONE;
  },
};
