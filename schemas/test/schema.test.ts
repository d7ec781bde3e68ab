import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('..', import.meta.url));

function buf(...args: string[]): string {
  const bin = join(root, 'node_modules', '.bin');
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` };
  return execFileSync(join(bin, 'buf'), args, { cwd: root, env, encoding: 'utf8' });
}

t.test('SCHEMA-1: the checked-in code is what the schema generates', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tidewire-schema-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  buf('generate', '-o', folder);
  const generated = join(folder, 'src', 'gen', 'tidewire', 'v1');
  const checkedIn = join(root, 'src', 'gen', 'tidewire', 'v1');
  t.same(readdirSync(checkedIn).sort(), readdirSync(generated).sort());
  for (const file of readdirSync(generated))
    t.equal(
      readFileSync(join(checkedIn, file), 'utf8'),
      readFileSync(join(generated, file), 'utf8'),
      file,
    );
});

t.test('SCHEMA-2: the schema breaks nothing that was released', async (t) => {
  t.equal(buf('lint'), '');
  t.equal(buf('breaking', '--against', 'released.binpb'), '');
});
