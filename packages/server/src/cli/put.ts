import { type Call, type Command, withClient } from './command.js';
import { Exit, UsageError } from './io.js';

export const put: Command = {
  name: 'put',
  usage: 'put MAP KEY JSON [--safe]',
  summary: 'store a value',
  details: [
    'JSON is stored as it is written, bit for bit. Prints what became of it as a JSON line:',
    'outcome APPLIED or SUPERSEDED (a newer record stands), level, partition, sequence, stamp.',
    '  --safe   answer only once the database has it',
  ],
  operands: [3, 3],
  flags: ['safe'],
  run: async ({ operands: [map, key, json], flags, url, token, io }: Call) => {
    checkJson(json);
    const result = await withClient({ url, token }, (client) =>
      client.map(map).putJson(key, json, { safe: flags.safe ?? false }),
    );
    io.stdout.write(`${JSON.stringify(result)}\n`);
    return Exit.DONE;
  },
};

function checkJson(text: string): void {
  try {
    JSON.parse(text);
  } catch {
    throw new UsageError(
      `${JSON.stringify(text)} is not JSON: text needs its own quotes, '"like this"'`,
    );
  }
}
