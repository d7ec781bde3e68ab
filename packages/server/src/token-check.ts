import { readFile } from 'node:fs/promises';
import { type KeySource, TokenVerifier, type Verify } from '@tidewire/gateway';
import type { AuthConfig } from './auth-config.js';

/** What tells tokens' worth by these rules. Rejects with a sentence if the key is none. */
export async function createVerify(rules: AuthConfig, nowMs: () => number): Promise<Verify> {
  const { keys } = rules;
  const source: KeySource = keys.kind === 'pem-file' ? await readKey(keys.path) : keys;
  const verifier = await TokenVerifier.create({ ...rules, keys: source }, nowMs);
  return (token) => verifier.verify(token);
}

async function readKey(path: string): Promise<KeySource> {
  try {
    return { kind: 'pem', text: await readFile(path, 'utf8') };
  } catch (error) {
    throw new Error(`The key for tokens cannot be read: ${(error as Error).message}.`);
  }
}
