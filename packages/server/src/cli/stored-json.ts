import type { StoredKind } from '@tidewire/client';

/**
 * A stored value as a member of a JSON object on one line: `"value":…`, digit for digit as it is
 * stored, or in base64 as `"bytes"` if it is no JSON.
 */
export function valueMember(
  bytes: Uint8Array,
  storedAs: StoredKind,
  names: { readonly json: string; readonly bytes: string } = { json: 'value', bytes: 'bytes' },
): string {
  const json = storedAs === 'json' ? jsonText(bytes) : undefined;
  if (json !== undefined) return `"${names.json}":${json}`;
  return `"${names.bytes}":"${Buffer.from(bytes).toString('base64')}"`;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Without line ends: in valid JSON they are white space, a string cannot contain any. */
function jsonText(bytes: Uint8Array): string | undefined {
  try {
    const text = decoder.decode(bytes);
    JSON.parse(text);
    return text.replace(/[\r\n]/g, ' ');
  } catch {
    return undefined;
  }
}
