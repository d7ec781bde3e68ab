import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TokenMint } from '../hostile/token-mint.js';

/** Signs tokens, and has their public key in a file for a server. */
export class Issuer {
  readonly mint: TokenMint = new TokenMint();
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(): Promise<Issuer> {
    const issuer = new Issuer(await mkdtemp(join(tmpdir(), 'tidewire-perf-key-')));
    await writeFile(issuer.#file, issuer.mint.publicKey);
    return issuer;
  }

  /** Of a server that asks for its tokens. */
  get flags(): string[] {
    return ['--auth', 'jwt', '--auth-key', this.#file];
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  get #file(): string {
    return join(this.#folder, 'key.pem');
  }
}
