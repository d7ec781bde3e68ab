import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const RUNS = 10_000;
const CORE = fileURLToPath(new URL('..', import.meta.url));
const SCRIPTS = fileURLToPath(new URL('../../../scripts/', import.meta.url));

const missing = whyNot();

for (const target of ['frame-reader', 'predicate'])
  t.test(
    `FUZZ-1: ${target}, its corpus and ${RUNS} inputs made of it by coverage${missing === undefined ? '' : `: ${missing}`}`,
    { skip: missing !== undefined },
    async (t) => {
      const args = [`${SCRIPTS}fuzz.mjs`, '--runs', String(RUNS), target];
      const { status, stdout, stderr } = run(args);
      t.equal(status, 0, stdout);
      const [, runs, coverage] = /#(\d+)\s+DONE +cov: (\d+)/.exec(stderr) ?? [];
      t.ok(Number(runs) >= RUNS);
      t.ok(Number(coverage) > 100, 'coverage is counted');
    },
  );

/** Why the fuzzer's binary does not load here; undefined: it does. */
function whyNot(): string | undefined {
  const args = ['--require', `${SCRIPTS}old-glibc.cjs`, '-e', `require('@jazzer.js/core')`];
  const { status, stderr } = run(args);
  return status === 0 ? undefined : `its binary does not load: ${/Error: (.*)/.exec(stderr)?.[1]}`;
}

/** Without what tap puts into the environment: the fuzzer is no test process. */
function run(args: readonly string[]): SpawnSyncReturns<string> {
  const env = { PATH: process.env['PATH'] };
  return spawnSync(process.execPath, args, { cwd: CORE, env, encoding: 'utf8' });
}
