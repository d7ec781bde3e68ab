import { type Event, ValueKind } from '@tidewire/schemas';
import {
  Entry,
  type EntryFields,
  entryFieldsOf,
  parsedValue,
  type StoredKind,
  storedKindOf,
} from './entry.js';
import type { Change } from './held-records.js';

/**
 * A change of a map or a key, as subscribers hear of it. A removal has no value; where it was only
 * found while catching up, its stamp and sequence are not known: they are 0.
 */
export class EntryEvent<T> extends Entry<T | undefined> {
  readonly kind: 'put' | 'remove';

  constructor(kind: 'put' | 'remove', fields: EntryFields) {
    super(fields);
    this.kind = kind;
  }

  override toJSON(): object {
    return { kind: this.kind, ...super.toJSON() };
  }
}

/**
 * A change of what a continuous query finds: a record has come to match, matches still, or matches no
 * longer. A record that leaves has no value; where that was only found while catching up, stamp and
 * sequence are 0.
 */
export class QueryEvent<T> extends Entry<T | undefined> {
  readonly kind: 'enter' | 'update' | 'leave';
  /** The stored value before, bit for bit; empty without one. */
  readonly previousBytes: Uint8Array;
  readonly previousStoredAs: StoredKind;

  constructor(
    kind: 'enter' | 'update' | 'leave',
    fields: EntryFields,
    previous: { readonly bytes: Uint8Array; readonly kind: StoredKind },
  ) {
    super(fields);
    this.kind = kind;
    this.previousBytes = previous.bytes;
    this.previousStoredAs = previous.kind;
  }

  /**
   * The value before this change, with `withOld` and if that matched. While catching up states are told,
   * not changes: then it is undefined.
   * @throws TidewireError INVALID if stored as JSON and no JSON.
   */
  get previous(): T | undefined {
    return parsedValue(this.key, this.previousBytes, this.previousStoredAs) as T | undefined;
  }

  override toJSON(): object {
    return { kind: this.kind, ...super.toJSON(), previous: this.previous };
  }
}

export function entryEventOf(change: Change): EntryEvent<unknown> {
  return new EntryEvent(change.kind === 'leave' ? 'remove' : 'put', fieldsOf(change));
}

export function queryEventOf(change: Change): QueryEvent<unknown> {
  return new QueryEvent(change.kind, fieldsOf(change), previousOf(change.event));
}

const NO_BYTES: Uint8Array = new Uint8Array(0);
const NO_VALUE = { bytes: NO_BYTES, kind: 'none', expiresAtMs: 0 } as const;

function fieldsOf({ kind, key, partition, event }: Change): EntryFields {
  if (event === undefined) {
    const stamp = { ms: 0, counter: 0, node: 0 };
    return { key, partition, stamp, sequence: 0, ...NO_VALUE };
  }
  const fields = entryFieldsOf(event);
  return kind === 'leave' ? { ...fields, ...NO_VALUE } : fields;
}

function previousOf(event: Event | undefined): { bytes: Uint8Array; kind: StoredKind } {
  if (event === undefined) return NO_VALUE;
  const { oldValue, oldValueKind } = event;
  if (oldValue.length === 0 && oldValueKind === ValueKind.UNSPECIFIED) return NO_VALUE;
  return { bytes: oldValue, kind: storedKindOf(oldValueKind) };
}
