const LOCAL_NAMES: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Decides from which pages browsers may connect. `allowed`: origins as `https://example.org`, `null`
 * for pages that have none, or `*` for all of them; without it, pages served by this machine.
 */
export function originRule(allowed: readonly string[] | undefined): (origin: string) => boolean {
  if (allowed === undefined) return (origin) => LOCAL_NAMES.has(hostnameOf(origin));
  const origins = new Set(allowed);
  return (origin) => origins.has('*') || origins.has(origin);
}

function hostnameOf(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).hostname : '';
}
