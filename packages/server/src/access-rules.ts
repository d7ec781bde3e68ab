import { readFile } from 'node:fs/promises';
import {
  type AccessRules,
  EMPTY_POLICY,
  type KeySource,
  type Policy,
  readPolicy,
  TokenVerifier,
} from '@tidewire/gateway';
import type { AuthConfig } from './auth-config.js';

/**
 * Reads the files of who may come in and what they may do. Rejects with a sentence.
 * `nowMs`: milliseconds since 1970.
 */
export async function readAccessRules(
  config: AuthConfig,
  nowMs: () => number,
): Promise<AccessRules> {
  const { keys: place, policy: file } = config;
  const keys: KeySource = place.kind === 'pem-file' ? await readKey(place.path) : place;
  const verifier = await TokenVerifier.create({ ...config, keys }, nowMs);
  const policy = file === undefined ? EMPTY_POLICY : await readPolicyFile(file);
  return { verify: (token) => verifier.verify(token), policy };
}

async function readKey(path: string): Promise<KeySource> {
  try {
    return { kind: 'pem', text: await readFile(path, 'utf8') };
  } catch (error) {
    throw new Error(`The key for tokens cannot be read: ${(error as Error).message}.`);
  }
}

async function readPolicyFile(path: string): Promise<Policy> {
  try {
    return readPolicy(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0];
    throw new Error(`The policy ${path} is not sound: ${reason}.`);
  }
}
