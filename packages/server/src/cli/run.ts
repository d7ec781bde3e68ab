import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Code, TidewireError } from '@tidewire/client';
import type { Command, Flags } from './command.js';
import { count } from './count.js';
import { deadLetters } from './dead-letters.js';
import { explain } from './explain.js';
import { get } from './get.js';
import { increment } from './increment.js';
import { info } from './info.js';
import { Exit, FailedError, type Io, UsageError } from './io.js';
import { list } from './list.js';
import { load } from './load.js';
import { maps } from './maps.js';
import { put } from './put.js';
import { remove } from './remove.js';
import { watch } from './watch.js';

const URL_DEFAULT = 'ws://127.0.0.1:7271';
const COMMANDS: readonly Command[] = [
  put,
  get,
  remove,
  increment,
  watch,
  list,
  count,
  explain,
  load,
  info,
  deadLetters,
  maps,
];

const OPTIONS = {
  url: { type: 'string' },
  token: { type: 'string' },
  safe: { type: 'boolean' },
  map: { type: 'string' },
  key: { type: 'string' },
  where: { type: 'string' },
  from: { type: 'string' },
  old: { type: 'boolean' },
  'max-hz': { type: 'string' },
  'order-by': { type: 'string' },
  descending: { type: 'boolean' },
  limit: { type: 'string' },
  format: { type: 'string' },
  requeue: { type: 'boolean' },
  'database-url': { type: 'string' },
  'data-dir': { type: 'string' },
  admin: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const;

type Parsed = ReturnType<typeof parse>;

/** Carries one command line out; errors become a sentence on standard error and an exit code. */
export async function run(args: readonly string[], io: Io): Promise<Exit> {
  try {
    return await dispatch(parse(args), io);
  } catch (error) {
    if (error instanceof UsageError)
      return complain(io, error.message, Exit.WRONG_USE, error.lines);
    if (error instanceof FailedError) return complain(io, error.message, Exit.REFUSED);
    if (error instanceof TidewireError) return complain(io, sentenceOf(error), Exit.REFUSED);
    throw error;
  }
}

async function dispatch({ values, positionals }: Parsed, io: Io): Promise<Exit> {
  const [name, ...operands] = positionals;
  if (values.version) return print(io, `${version()}\n`);
  const command = COMMANDS.find((each) => each.name === name);
  if (values.help) return print(io, command ? helpOf(command) : help());
  if (!command)
    throw new UsageError(
      name === undefined
        ? 'name a command; --help lists them'
        : `there is no command "${name}"; --help lists them`,
    );
  const { help: _, version: __, url: named, token: shown, ...flags } = values;
  checkUse(command, operands, flags);
  const url = checkedUrl(named ?? io.env['TIDEWIRE_URL'] ?? URL_DEFAULT);
  const token = shown ?? io.env['TIDEWIRE_TOKEN'] ?? '';
  return command.run({ operands, flags, url, token, io });
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    const [reason] = (error as Error).message.split(/\.\s/);
    throw new UsageError(`${reason}; write -- before operands that begin with a dash`);
  }
}

function checkUse(command: Command, operands: readonly string[], flags: Flags): void {
  const [min, max] = command.operands;
  if (operands.length < min || operands.length > max)
    throw new UsageError(`use it like this: tidewire ${command.usage}`);
  const taken: readonly string[] = command.flags;
  const other = Object.keys(flags).find((flag) => !taken.includes(flag));
  if (other !== undefined)
    throw new UsageError(
      `${command.name} takes no --${other}; like this: tidewire ${command.usage}`,
    );
}

function checkedUrl(url: string): string {
  if (/^wss?:\/\//.test(url) && URL.canParse(url)) return url;
  throw new UsageError(`"${url}" is not an address; --url wants one like ${URL_DEFAULT}`);
}

/** The error's own sentence, and what to do about it where that does not follow. */
function sentenceOf(error: TidewireError): string {
  const sentence = `${error.name}: ${error.detail.replace(/\.$/, '')}`;
  if (error.code === Code.UNAVAILABLE)
    return `${sentence}; start the server, or name it with --url`;
  if (error.code === Code.OVERLOADED) return `${sentence}; try again later`;
  if (error.code === Code.NOT_YET_DURABLE)
    return `${sentence}; the server goes on trying, look at its database`;
  return sentence;
}

function complain(io: Io, sentence: string, exit: Exit, lines: readonly string[] = []): Exit {
  io.stderr.write(`tidewire: ${sentence.replace(/\.$/, '')}.\n`);
  for (const line of lines) io.stderr.write(`  ${line}\n`);
  return exit;
}

function print(io: Io, text: string): Exit {
  io.stdout.write(text);
  return Exit.DONE;
}

function help(): string {
  const width = Math.max(...COMMANDS.map(({ usage }) => usage.length)) + 3;
  const lines = COMMANDS.map(({ usage, summary }) => `  ${usage.padEnd(width)}${summary}\n`);
  return `Usage: tidewire COMMAND …

${lines.join('')}
  --url URL    the server; default: environment TIDEWIRE_URL, else ${URL_DEFAULT}
  --token JWT  credential; better as environment TIDEWIRE_TOKEN, which others on the machine cannot read
  --help       this, or more about a command: tidewire COMMAND --help
  --version    the version

Exit codes: 0 done, 1 refused by the server or not reachable, 2 wrong use.
`;
}

function helpOf(command: Command): string {
  const details = command.details.map((line) => `${line}\n`).join('');
  return `Usage: tidewire ${command.usage} [--url URL] [--token JWT]\n\n${command.summary}\n\n${details}`;
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
