// Every static check of the project, one after another; stops at none, fails if one fails.
import { spawnSync } from 'node:child_process';

const CHECKS = [
  ['format and lint', 'biome', ['check', '.']],
  ['types', 'node', ['scripts/turbo.mjs', 'run', 'build', '--output-logs=errors-only']],
  [
    'dependency direction',
    'depcruise',
    ['--config', '.dependency-cruiser.cjs', 'packages', 'schemas/src', 'perf/src'],
  ],
  ['dead code', 'knip', ['--no-progress']],
  ['schemas', 'pnpm', ['--filter', '@tidewire/schemas', 'run', 'lint']],
  ['house rules', 'node', ['scripts/house-rules.mjs']],
];

let failed = 0;
for (const [title, command, args] of CHECKS) {
  const { status } = spawnSync(command, args, {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${title}`);
  if (status !== 0) failed++;
}
process.exitCode = failed === 0 ? 0 : 1;
