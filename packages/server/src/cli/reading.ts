/** What one place of a record file holds: a record, or the reason why it is none. */
export type Reading =
  | {
      readonly kind: 'record';
      readonly line: number;
      readonly key: string;
      readonly value: Uint8Array;
      readonly storedAs: 'json' | 'bytes';
    }
  | { readonly kind: 'fault'; readonly line: number; readonly reason: string };

/** Far above any value that a server takes; bounds what a reader holds. */
export const RECORD_BYTES_MAX: number = 1024 * 1024;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The record in JSON text `bytes`. With a `keyField` the text itself is the value: kept as it is with
 * `verbatim`, else written anew. Without one it is what `list` writes: an object of key and value.
 */
export function readingOf(
  bytes: Uint8Array,
  how: { line: number; keyField: string | undefined; verbatim: boolean },
): Reading {
  const { line, keyField, verbatim } = how;
  let text: string;
  let fields: unknown;
  try {
    text = decoder.decode(bytes);
    fields = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : 'is not valid UTF-8';
    return { kind: 'fault', line, reason: `not JSON: ${reason}` };
  }
  const key = keyOf(fields, keyField ?? LISTED_KEY);
  if (key.kind === 'fault') return { kind: 'fault', line, reason: key.reason };
  if (keyField === undefined)
    return listedReading(text, { line, key: key.key, fields: fields as Listed });
  const value = verbatim ? bytes : Buffer.from(JSON.stringify(fields));
  return { kind: 'record', line, key: key.key, value, storedAs: 'json' };
}

const LISTED_KEY = 'key';

interface Listed {
  readonly value?: unknown;
  readonly bytes?: unknown;
}

/** What `list` has written. Its value is taken as it stands, which keeps every digit. */
function listedReading(
  text: string,
  { line, key, fields }: { line: number; key: string; fields: Listed },
): Reading {
  const record = { kind: 'record', line, key } as const;
  if (Object.hasOwn(fields, 'value')) {
    const json = verbatimValue(text, key) ?? JSON.stringify(fields.value);
    return { ...record, value: Buffer.from(json), storedAs: 'json' };
  }
  if (typeof fields.bytes === 'string' && BASE64.test(fields.bytes))
    return { ...record, value: Buffer.from(fields.bytes, 'base64'), storedAs: 'bytes' };
  const reason = 'neither "value" nor "bytes" in base64; name the field of the key with --key';
  return { kind: 'fault', line, reason };
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The text of the value in a line of exactly the form that `list` writes. */
function verbatimValue(text: string, key: string): string | undefined {
  const before = `{"${LISTED_KEY}":${JSON.stringify(key)},"value":`;
  if (!text.startsWith(before) || !text.endsWith('}')) return undefined;
  const value = text.slice(before.length, -1);
  try {
    JSON.parse(value);
    return value;
  } catch {
    return undefined; // more members follow
  }
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
