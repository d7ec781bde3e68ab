/** What a look at a connection leads to; `waitMs`: when to look again. */
export type Heartbeat =
  | { readonly kind: 'dead' }
  | { readonly kind: 'ping' | 'quiet'; readonly waitMs: number };

/**
 * A ping is due once either side has been quiet for the interval: the server's answer proves that
 * it lives, and the ping itself proves to the server that this client does.
 */
export function heartbeatAt(
  nowMs: number,
  seen: { sentAtMs: number; receivedAtMs: number; pingedAtMs: number },
  limits: { intervalMs: number; timeoutMs: number },
): Heartbeat {
  const deadAtMs = seen.receivedAtMs + limits.timeoutMs;
  if (nowMs >= deadAtMs) return { kind: 'dead' };
  const quietSinceMs = Math.max(seen.pingedAtMs, Math.min(seen.sentAtMs, seen.receivedAtMs));
  const pingAtMs = quietSinceMs + limits.intervalMs;
  const leftMs = deadAtMs - nowMs;
  if (nowMs >= pingAtMs) return { kind: 'ping', waitMs: Math.min(limits.intervalMs, leftMs) };
  return { kind: 'quiet', waitMs: Math.min(pingAtMs - nowMs, leftMs) };
}
