// Packs what the pool needs, installs it in a fresh project by npm, compiles the example and runs it: as a user would.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PACKED = ['schemas', 'packages/core', 'packages/partition-worker'];
const EXAMPLES = join(ROOT, 'packages/partition-worker/examples');
const NPM = join(dirname(process.execPath), process.platform === 'win32' ? 'npm.cmd' : 'npm');
const COMPILER = join(ROOT, 'node_modules/typescript/bin/tsc');

function run(command, args, cwd) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
}

const folder = mkdtempSync(join(tmpdir(), 'tidewire-packed-'));
try {
  for (const path of PACKED)
    run('npx', ['-y', 'pnpm@12.21.0', 'pack', '--pack-destination', folder], join(ROOT, path));
  const tarballs = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({
      private: true,
      type: 'module',
      dependencies: Object.fromEntries(
        tarballs.map((name) => [
          name.replace(/^tidewire-(.*)-\d+\.\d+\.\d+.*$/, '@tidewire/$1'),
          `file:${name}`,
        ]),
      ),
    }),
  );
  run(NPM, ['install', '--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts'], folder);
  for (const name of readdirSync(EXAMPLES)) copyFileSync(join(EXAMPLES, name), join(folder, name));
  for (const name of readdirSync(join(folder, 'node_modules/@tidewire')))
    if (!existsSync(join(folder, 'node_modules/@tidewire', name, 'LICENSE')))
      throw new Error(`@tidewire/${name} comes without its licence.`);
  const options = ['--module', 'nodenext', '--target', 'es2022', '--strict'];
  const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')];
  run(process.execPath, [COMPILER, ...options, ...types, 'accounts.ts'], folder);
  process.stdout.write(run(process.execPath, ['accounts.js'], folder));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
