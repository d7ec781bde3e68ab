import { type Call, type Command, withClient } from './command.js';
import { Exit } from './io.js';

export const remove: Command = {
  name: 'remove',
  usage: 'remove MAP KEY [--safe]',
  summary: 'remove a key',
  details: [
    'Prints what became of it as a JSON line, like put; a key without a value can be removed too.',
    '  --safe   answer only once the database has it',
  ],
  operands: [2, 2],
  flags: ['safe'],
  run: async ({ operands: [map, key], flags, url, token, io }: Call) => {
    const result = await withClient({ url, token }, (client) =>
      client.map(map).remove(key, { safe: flags.safe ?? false }),
    );
    io.stdout.write(`${JSON.stringify(result)}\n`);
    return Exit.DONE;
  },
};
