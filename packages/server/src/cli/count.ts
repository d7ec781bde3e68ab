import { type Call, type Command, withClient } from './command.js';
import { Exit } from './io.js';
import { predicateFrom } from './where.js';

export const count: Command = {
  name: 'count',
  usage: 'count MAP [--where PREDICATE]',
  summary: 'print how many records a map has',
  details: ["  --where      only those for which PREDICATE holds, like 'population > 1e6'"],
  operands: [1, 1],
  flags: ['where'],
  run: async ({ operands: [map], flags, url, token, io }: Call) => {
    const where = flags.where === undefined ? undefined : predicateFrom(flags.where);
    const number = await withClient({ url, token }, (client) => client.map(map).count({ where }));
    io.stdout.write(`${number}\n`);
    return Exit.DONE;
  },
};
