import { MAP_BYTES_MAX, TTL_MS_MAX } from '@tidewire/core';

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds of a time as 500ms, 45s, 30m, 12h or 7d; undefined if it is none, or beyond a lifetime. */
export function durationMs(text: string): number | undefined {
  const [, count, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text.trim()) ?? [];
  const ms = Number(count) * (UNITS[unit ?? ''] ?? Number.NaN);
  return ms >= 1 && ms <= TTL_MS_MAX ? ms : undefined;
}

export function isMapName(text: string): boolean {
  const { length } = new TextEncoder().encode(text);
  return length >= 1 && length <= MAP_BYTES_MAX && !text.includes('\0');
}

/** The map and the milliseconds of a setting as sessions=30m; undefined if it is none. */
export function mapTtlOf(text: string): readonly [map: string, ttlMs: number] | undefined {
  const at = text.lastIndexOf('=');
  const map = text.slice(0, Math.max(at, 0)).trim();
  const ttlMs = durationMs(text.slice(at + 1));
  return ttlMs !== undefined && isMapName(map) ? [map, ttlMs] : undefined;
}
