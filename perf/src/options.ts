import { parseArgs } from 'node:util';
import type { Scenario } from './measure/scenario.js';

const ROUNDS = 5;
const ROUNDS_QUICK = 3;
const MINUTES = 30;
const COMPARISON = 'vs-';
const COMMANDS: readonly string[] = ['micro', 'selftest', 'history'];
/** Of the longest name in the list. */
const ID_WIDTH = 16;

export interface Options {
  /** Scenarios to run, by their order in the catalogue. */
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  readonly isQuick: boolean;
  readonly isMicro: boolean;
  /** Prove that the harness sees a slower server and a client that skips work. */
  readonly isSelfTest: boolean;
  /** Only draw the recorded runs. */
  readonly isHistory: boolean;
  readonly isHelp: boolean;
  readonly isRecorded: boolean;
  readonly minutes: number;
  readonly rate: number;
  readonly jsonFile: string | undefined;
  readonly reportFolder: string | undefined;
  /** Where to write flame graphs of P1's server, by thread. */
  readonly profileFolder: string | undefined;
}

/** Wrong use; the message is a sentence for the user. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** Reads the command line. Throws {@link UsageError}. */
export function readOptions(words: string[], catalogue: readonly Scenario[]): Options {
  const { values, positionals } = parse(words);
  const isMicro = positionals.includes('micro');
  const isSelfTest = positionals.includes('selftest');
  const isHistory = positionals.includes('history');
  const ids = positionals
    .filter((word) => !COMMANDS.includes(word))
    .flatMap((word) => (word === 'versus' ? comparisonsOf(catalogue) : [word]));
  const rounds = Number(values.rounds ?? (values.quick ? ROUNDS_QUICK : ROUNDS));
  if (!Number.isInteger(rounds) || rounds < ROUNDS_QUICK)
    throw new UsageError(`--rounds takes a whole number of at least ${ROUNDS_QUICK}.`);
  return {
    scenarios: choose(ids, catalogue),
    rounds,
    isQuick: values.quick,
    isMicro,
    isSelfTest,
    isHistory,
    isHelp: values.help,
    isRecorded: values.record,
    minutes: numberOf('minutes', values.minutes ?? MINUTES),
    rate: numberOf('rate', values.rate ?? 0),
    jsonFile: values.json,
    reportFolder: values.report,
    profileFolder: values.profile,
  };
}

export function helpText(catalogue: readonly Scenario[]): string {
  const lines = catalogue.map((scenario) => {
    const need = typeof scenario.open === 'string' ? ' (not built yet)' : '';
    const isLong = scenario.isByNameOnly ? ' (only by name)' : '';
    return `  ${scenario.id.padEnd(ID_WIDTH)} ${scenario.title}${need}${isLong}`;
  });
  return [
    'pnpm perf [P1 P5 …] [--rounds N] [--quick] [--json FILE] [--report DIR] [--record]',
    'pnpm perf versus | micro | selftest | history [--report DIR]',
    'pnpm perf --profile DIR',
    '',
    'Measures Tidewire beside what a user would pick instead, on this machine, in one run.',
    'Without names: every scenario but those that run only by name. Exit code 1: a bar was missed; 2: wrong use.',
    '',
    '  --rounds N    pairs of measurements of each scenario (5; with --quick 3)',
    '  --quick       three short rounds: under a minute a scenario',
    '  --json FILE   writes the results as JSON',
    '  --report DIR  writes DIR/index.html with plots',
    '  --profile DIR flame graphs of the server under P1, one a thread, and its largest costs',
    '  --minutes N   how long a soak goes on (30)',
    '  --rate N      operations a second of a soak (70 % of what the server can do)',
    '  --record      appends the ratios to perf/results/history.jsonl',
    '',
    ...lines,
    '  versus    every vs- comparison',
    '  selftest  a slowed server and cheating clients must be seen by the harness',
    '  history   draws the recorded runs into DIR/history.html (.tidewire/perf)',
    '  micro     ring, frame reader and writer, store, conflict rule and clock, in seconds',
  ].join('\n');
}

type Values = {
  rounds?: string;
  quick: boolean;
  json?: string;
  report?: string;
  profile?: string;
  record: boolean;
  minutes?: string;
  rate?: string;
  help: boolean;
};

function parse(words: string[]): { values: Values; positionals: string[] } {
  try {
    return parseArgs({
      args: words[0] === '--' ? words.slice(1) : words,
      allowPositionals: true,
      options: {
        rounds: { type: 'string' },
        quick: { type: 'boolean', default: false },
        json: { type: 'string' },
        report: { type: 'string' },
        profile: { type: 'string' },
        record: { type: 'boolean', default: false },
        minutes: { type: 'string' },
        rate: { type: 'string' },
        help: { type: 'boolean', default: false, short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message.split('. ')[0].concat('.'));
  }
}

function numberOf(name: string, value: string | number): number {
  const number = Number(value);
  if (!(number >= 0)) throw new UsageError(`--${name} takes a number.`);
  return number;
}

function comparisonsOf(catalogue: readonly Scenario[]): string[] {
  return catalogue.map((scenario) => scenario.id).filter((id) => id.startsWith(COMPARISON));
}

function choose(ids: readonly string[], catalogue: readonly Scenario[]): readonly Scenario[] {
  const wanted = ids.map((id) => id.toLowerCase());
  const known = catalogue.map((scenario) => scenario.id.toLowerCase());
  const unknown = wanted.findIndex((id) => !known.includes(id));
  if (unknown >= 0)
    throw new UsageError(`There is no scenario ${ids[unknown]}; --help lists them.`);
  const chosen = catalogue.filter((scenario) => wanted.includes(scenario.id.toLowerCase()));
  return chosen.length > 0 ? chosen : catalogue.filter((scenario) => !scenario.isByNameOnly);
}
