import { type Call, type Command, withClient } from './command.js';
import { Exit, UsageError } from './io.js';

const NUMBER = /^-?\d+$/;

export const increment: Command = {
  name: 'increment',
  usage: 'increment MAP KEY [BY] [--safe]',
  summary: 'add to a number',
  details: [
    'Adds the integer BY, or 1, to the number under KEY, which is 0 if there is none. Prints the new one.',
    '  --safe   answer only once the database has it',
  ],
  operands: [2, 3],
  flags: ['safe'],
  run: async ({ operands: [map, key, by = '1'], flags, url, token, io }: Call) => {
    if (!NUMBER.test(by)) throw new UsageError(`${JSON.stringify(by)} is not an integer`);
    const entry = await withClient({ url, token }, (client) =>
      client.map(map).increment(key, BigInt(by), flags.safe ? { safe: true } : {}),
    );
    io.stdout.write(`${new TextDecoder().decode(entry.bytes)}\n`);
    return Exit.DONE;
  },
};
