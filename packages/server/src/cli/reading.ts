/** What one place of a record file holds: a record, or the reason why it is none. */
export type Reading =
  | {
      readonly kind: 'record';
      readonly line: number;
      readonly key: string;
      readonly json: Uint8Array;
    }
  | { readonly kind: 'fault'; readonly line: number; readonly reason: string };

/** Far above any value that a server takes; bounds what a reader holds. */
export const RECORD_BYTES_MAX: number = 1024 * 1024;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The record in JSON text `bytes`: kept as they are with `verbatim`, else written anew. */
export function readingOf(
  bytes: Uint8Array,
  { line, keyField, verbatim }: { line: number; keyField: string; verbatim: boolean },
): Reading {
  let fields: unknown;
  try {
    fields = JSON.parse(decoder.decode(bytes));
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : 'is not valid UTF-8';
    return { kind: 'fault', line, reason: `not JSON: ${reason}` };
  }
  const key = keyOf(fields, keyField);
  if (key.kind === 'fault') return { kind: 'fault', line, reason: key.reason };
  const json = verbatim ? bytes : Buffer.from(JSON.stringify(fields));
  return { kind: 'record', line, key: key.key, json };
}

type Key = { kind: 'key'; key: string } | { kind: 'fault'; reason: string };

function keyOf(fields: unknown, keyField: string): Key {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields))
    return { kind: 'fault', reason: 'not an object' };
  if (!Object.hasOwn(fields, keyField)) return { kind: 'fault', reason: `no field "${keyField}"` };
  const key = (fields as Record<string, unknown>)[keyField];
  if (typeof key === 'string') return { kind: 'key', key };
  if (typeof key !== 'number')
    return { kind: 'fault', reason: `field "${keyField}" is neither text nor a number` };
  if (Number.isInteger(key) && !Number.isSafeInteger(key))
    return { kind: 'fault', reason: `field "${keyField}" has too many digits: make it text` };
  return { kind: 'key', key: String(key) };
}
