// What no other tool checks: SPEC rules and tests name each other, files stay short, Atomics stays home.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const FILE_LINES_MAX = 500;
const ATOMICS_ALLOWED =
  /^packages\/core\/src\/(ring|memory)\/|^packages\/partition-worker\/src\/store\//;

const files = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts'],
  { encoding: 'utf8' },
)
  .split('\n')
  .filter((file) => file !== '' && existsSync(file) && !file.includes('/gen/'));
const isTest = (file) => /\/test\//.test(file);
const problems = [];

const rules = new Set(
  [...readFileSync('SPEC.md', 'utf8').matchAll(/^- \*\*([A-Z]+-\d+)\*\*/gm)].map(
    (match) => match[1],
  ),
);
const cited = new Set();
for (const file of files.filter(isTest))
  for (const match of readFileSync(file, 'utf8').matchAll(
    /['"`]([A-Z]+-\d+)(?:, ([A-Z]+-\d+))*: /g,
  ))
    for (const rule of match[0].matchAll(/[A-Z]+-\d+/g)) cited.add(rule[0]);
for (const rule of rules) if (!cited.has(rule)) problems.push(`SPEC.md: no test cites ${rule}`);
for (const rule of cited)
  if (!rules.has(rule)) problems.push(`a test cites ${rule}, which SPEC.md does not have`);

for (const file of files) {
  const text = readFileSync(file, 'utf8');
  const lines = text.split('\n').length;
  if (!isTest(file) && lines > FILE_LINES_MAX)
    problems.push(`${file}: ${lines} lines, ${FILE_LINES_MAX} at most`);
  if (
    !isTest(file) &&
    file.startsWith('packages/') &&
    /\bAtomics\./.test(text) &&
    !ATOMICS_ALLOWED.test(file)
  )
    problems.push(`${file}: Atomics belongs to core and the store`);
}

for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
