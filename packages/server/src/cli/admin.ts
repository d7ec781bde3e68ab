import { FailedError, type Io, UsageError } from './io.js';

const TIMEOUT_MS = 30_000;

export type Answer = Readonly<Record<string, unknown>>;

/** Asks the server's port for the operator. `admin`: its address, if one was given. */
export async function askAdmin(
  path: string,
  { admin, url, io }: { admin: string | undefined; url: string; io: Io },
): Promise<Answer> {
  const base = checked(admin ?? io.env['TIDEWIRE_ADMIN_URL'] ?? besideOf(url));
  const address = new URL(path, base).href;
  const response = await fetch(address, { signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => {
    throw new FailedError(
      `Nobody answers at ${address}; start the server, or name its port for operators with --admin`,
    );
  });
  const answer: unknown = await response.json().catch(() => undefined);
  const facts = typeof answer === 'object' && answer !== null ? (answer as Answer) : {};
  if (response.ok && answer !== undefined) return facts;
  const reason = 'error' in facts ? facts['error'] : 'Is that Tidewire?';
  throw new FailedError(`${address} gave no information (HTTP ${response.status}): ${reason}`);
}

/** Where a server listens for the operator unless it is told otherwise: on the next port. */
function besideOf(url: string): string {
  const address = new URL(url);
  const port = Number(address.port || (address.protocol === 'wss:' ? 443 : 80));
  return `http://${address.hostname}:${port + 1}`;
}

function checked(url: string): string {
  if (/^https?:\/\//.test(url) && URL.canParse(url)) return url;
  throw new UsageError(`"${url}" is not an address; --admin wants one like http://127.0.0.1:7272`);
}
