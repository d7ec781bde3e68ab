// Fuzzes what reads bytes of strangers, guided by coverage (Jazzer.js on libFuzzer), each against an oracle:
//
//   pnpm -s fuzz [--minutes N] [--runs N] [--keep] [target …]
//
// A target begins with the inputs of its corpus, one a line in hexadecimal (packages/core/test/fuzz/corpus); `--keep`
// adds what the run has found to reach more. An input that fails is left in .tidewire/fuzz and told by its path.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const TARGETS = ['frame-reader', 'predicate'];
const INPUT_BYTES_MAX = 2048;
/** libFuzzer's alarm for slow inputs may ring when the process is ending already, and kills it then. */
const NO_ALARM_MS = '1000000000';
const KEPT_BYTES_MAX = 128;
/** A run that goes on for so much longer hangs at an input. */
const HANG_SECONDS = 120;

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CORE = join(ROOT, 'packages/core');
const OLD_GLIBC = join(ROOT, 'scripts/old-glibc.cjs');
const jazzer = createRequire(join(CORE, 'package.json')).resolve('@jazzer.js/core');

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '1' },
    runs: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});

const targets = positionals.length > 0 ? positionals : TARGETS;
const seconds = Math.max(1, Math.round((Number(flags.minutes) * 60) / targets.length));
const limit = flags.runs === undefined ? `-max_total_time=${seconds}` : `-runs=${flags.runs}`;
for (const target of targets) {
  if (!TARGETS.includes(target)) throw new Error(`There is no target ${target}: ${TARGETS}.`);
  process.exitCode ||= fuzz(target);
}

/** Returns an exit code. */
function fuzz(target) {
  const folder = join(ROOT, '.tidewire/fuzz', `${target}-${process.pid}`);
  const corpus = join(CORE, 'test/fuzz/corpus', `${target}.hex`);
  mkdirSync(folder, { recursive: true });
  for (const input of linesOf(corpus).map((line) => Buffer.from(line, 'hex')))
    writeFileSync(join(folder, createHash('sha1').update(input).digest('hex')), input);
  const args = [
    ...['--enable-source-maps', '--require', OLD_GLIBC, join(dirname(jazzer), 'cli.js')],
    ...[join(CORE, `dist-test/fuzz/${target}.fuzz.js`), folder],
    ...['--sync', '--timeout', NO_ALARM_MS, '-i', 'packages/core/dist/', '--'],
    ...[limit, `-max_len=${INPUT_BYTES_MAX}`, `-artifact_prefix=${folder}-`],
    '-print_final_stats=1',
  ];
  const { status, signal } = spawnSync(process.execPath, args, {
    cwd: CORE,
    stdio: 'inherit',
    timeout: flags.runs === undefined ? (seconds + HANG_SECONDS) * 1000 : undefined,
  });
  if (flags.keep && status === 0) keep(folder, corpus);
  rmSync(folder, { recursive: true });
  console.log(
    `${status === 0 ? 'ok    ' : 'FAILED'} ${target}${signal === null ? '' : `, ended by ${signal}`}`,
  );
  return status ?? 1;
}

/** Short inputs say as much as long ones and can be read. */
function keep(folder, corpus) {
  const inputs = readdirSync(folder)
    .map((file) => readFileSync(join(folder, file)))
    .filter(({ length }) => length > 0 && length <= KEPT_BYTES_MAX)
    .map((bytes) => bytes.toString('hex'));
  inputs.sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  writeFileSync(corpus, `${inputs.join('\n')}\n`);
}

function linesOf(path) {
  return readFileSync(path, 'utf8').split('\n').filter(Boolean);
}
