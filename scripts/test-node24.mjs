// Runs the tests on Node 24 with the transport on ws: `pnpm -s test:node24 [turbo flags]`. Node comes
// from npm for this run only; a Node 24 that is running this script is used as it is.
import { execFileSync, spawn } from 'node:child_process';
import { arch, platform } from 'node:os';
import { delimiter, dirname } from 'node:path';

const MAJOR = '24';

function folderOfNode() {
  if (process.versions.node.startsWith(`${MAJOR}.`)) return dirname(process.execPath);
  const source = `node-${platform() === 'win32' ? 'win' : platform()}-${arch()}@${MAJOR}`;
  const print = 'node -p process.execPath';
  const path = execFileSync('npx', ['-y', '-p', source, '-c', print], { encoding: 'utf8' });
  return dirname(path.trim());
}

const folder = folderOfNode();
const flags = process.argv.slice(2);
const child = spawn('node', ['scripts/test.mjs', ...flags], {
  stdio: 'inherit',
  env: {
    ...process.env,
    PATH: folder + delimiter + process.env.PATH,
    TIDEWIRE_TRANSPORT: 'ws',
  },
});
child.on('close', (code) => {
  process.exitCode = code ?? 1;
});
