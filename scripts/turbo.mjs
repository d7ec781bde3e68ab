// Runs turbo with its telemetry off; turbo has no setting for that but the environment.
import { spawn } from 'node:child_process';

const child = spawn('turbo', process.argv.slice(2), {
  stdio: 'inherit',
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1' },
  shell: process.platform === 'win32',
});
child.on('close', (code) => {
  process.exitCode = code ?? 1;
});
