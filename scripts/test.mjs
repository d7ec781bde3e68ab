// Builds and runs every package's tests and closes with one plain line: `N passed, N failed`.
import { spawn } from 'node:child_process';

const SUMMARY = /# \{ total: \d+(.*)\}/;
const ANSI = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');

const child = spawn('turbo', ['run', 'test', '--output-logs=full', ...process.argv.slice(2)], {
  stdio: ['ignore', 'pipe', 'inherit'],
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1' },
  shell: process.platform === 'win32',
});
const sum = { pass: 0, fail: 0, skip: 0, todo: 0 };
let rest = '';
child.stdout.setEncoding('utf8').on('data', (text) => {
  process.stdout.write(text);
  const lines = (rest + text).split('\n');
  rest = lines.pop() ?? '';
  for (const line of lines) {
    const summary = SUMMARY.exec(line.replace(ANSI, ''));
    if (!summary) continue;
    for (const [, kind, count] of summary[1].matchAll(/(pass|fail|skip|todo): (\d+)/g))
      sum[kind] += Number(count);
  }
});
child.on('close', (code) => {
  const skipped = sum.skip + sum.todo;
  console.log(`${sum.pass} passed, ${sum.fail} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  process.exitCode = code || (sum.pass === 0 ? 1 : 0);
});
