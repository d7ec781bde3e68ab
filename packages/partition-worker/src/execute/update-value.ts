import { Code, unreachable, VALUE_BYTES_MAX } from '@tidewire/core';
import { OperationKind } from '@tidewire/schemas';

/** An update of a value, as its operation asks for it. */
export interface Update {
  readonly kind: UpdateKind;
  /** The operation's value: JSON. */
  readonly argument: Uint8Array;
  /** APPEND: elements that stay; 0: all. */
  readonly keep: number;
}

export type UpdateKind =
  | typeof OperationKind.INCREMENT
  | typeof OperationKind.MINIMUM
  | typeof OperationKind.MAXIMUM
  | typeof OperationKind.MERGE
  | typeof OperationKind.APPEND;

export type Updated = { readonly value: Uint8Array } | Refused;

export interface Refused {
  /** INVALID: the argument is wrong; PRECONDITION: the value is of another kind; TOO_LARGE. */
  readonly refusal: Code;
  /** A sentence on it. */
  readonly reason: string;
}

const NAMES: Readonly<Record<UpdateKind, string>> = {
  [OperationKind.INCREMENT]: 'increment',
  [OperationKind.MINIMUM]: 'minimum',
  [OperationKind.MAXIMUM]: 'maximum',
  [OperationKind.MERGE]: 'merge',
  [OperationKind.APPEND]: 'append',
};
const INTEGER = /^-?\d{1,1024}$/;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

export function isUpdateKind(kind: number): kind is UpdateKind {
  return kind >= OperationKind.INCREMENT && kind <= OperationKind.APPEND;
}

/** The value after `update`. `current` is the JSON before, or undefined if there is none. */
export function updatedValue(update: Update, current: Uint8Array | undefined): Updated {
  const argument = textOf(update.argument);
  const before = current === undefined ? undefined : textOf(current);
  if (argument === undefined) return invalid(update.kind);
  if (current !== undefined && before === undefined) return unfit(update.kind, 'no text');
  const text = isNumeric(update.kind)
    ? updatedNumber(update.kind, argument, before)
    : updatedDocument(update, argument, before);
  if (typeof text !== 'string') return text;
  const value = encoder.encode(text);
  if (value.length <= VALUE_BYTES_MAX) return { value };
  const reason = `The new value has ${value.length} bytes, limit ${VALUE_BYTES_MAX}.`;
  return { refusal: Code.TOO_LARGE, reason };
}

/** The value is of a kind that the update cannot change: `what` it is. */
export function unfit(kind: UpdateKind, what: string): Refused {
  const reason = `${NAMES[kind]} is for ${domainOf(kind)}; the value is ${what}.`;
  return { refusal: Code.PRECONDITION, reason };
}

function invalid(kind: UpdateKind): Refused {
  const wanted = isNumeric(kind) ? 'a number' : 'JSON';
  return { refusal: Code.INVALID, reason: `The argument of ${NAMES[kind]} is not ${wanted}.` };
}

function domainOf(kind: UpdateKind): string {
  if (isNumeric(kind)) return 'numbers';
  return kind === OperationKind.APPEND ? 'arrays' : 'JSON values';
}

/** What the text is, as JSON sees it. */
function kindOf(text: string): string {
  const parsed = jsonOf(text);
  if (parsed === undefined) return 'not JSON';
  const { json } = parsed;
  if (json === null) return 'null';
  if (Array.isArray(json)) return 'an array';
  return typeof json === 'object' ? 'an object' : `a ${typeof json}`;
}

type NumericKind = Exclude<UpdateKind, typeof OperationKind.MERGE | typeof OperationKind.APPEND>;

function isNumeric(kind: UpdateKind): kind is NumericKind {
  return kind <= OperationKind.MAXIMUM;
}

/** Integers are counted exactly, however long; everything else as IEEE doubles. */
function updatedNumber(
  kind: NumericKind,
  argument: string,
  before: string | undefined,
): string | Refused {
  const operand = numberOf(argument);
  if (operand === undefined) return invalid(kind);
  if (before === undefined) return argument.trim();
  const number = numberOf(before);
  if (number === undefined) return unfit(kind, kindOf(before));
  switch (kind) {
    case OperationKind.INCREMENT:
      return sumOf(before.trim(), argument.trim(), number + operand);
    case OperationKind.MINIMUM:
      return isLess(argument, before, operand - number) ? argument.trim() : before.trim();
    case OperationKind.MAXIMUM:
      return isLess(argument, before, operand - number) ? before.trim() : argument.trim();
    default:
      return unreachable(kind);
  }
}

function sumOf(left: string, right: string, sum: number): string | Refused {
  if (INTEGER.test(left) && INTEGER.test(right)) return String(BigInt(left) + BigInt(right));
  if (Number.isFinite(sum)) return JSON.stringify(sum);
  return { refusal: Code.PRECONDITION, reason: 'The sum is more than a double holds.' };
}

function isLess(left: string, right: string, difference: number): boolean {
  if (INTEGER.test(left.trim()) && INTEGER.test(right.trim()))
    return BigInt(left.trim()) < BigInt(right.trim());
  return difference < 0;
}

function updatedDocument(
  update: Update,
  argument: string,
  before: string | undefined,
): string | Refused {
  const operand = jsonOf(argument);
  if (operand === undefined) return invalid(update.kind);
  const document = before === undefined ? { json: undefined } : jsonOf(before);
  if (document === undefined) return unfit(update.kind, 'not JSON');
  if (update.kind === OperationKind.MERGE)
    return JSON.stringify(merged(document.json, operand.json));
  const array = document.json ?? [];
  if (!Array.isArray(array)) return unfit(update.kind, kindOf(before ?? ''));
  const longer = [...array, operand.json];
  return JSON.stringify(update.keep === 0 ? longer : longer.slice(-update.keep));
}

/** RFC 7396, section 2. */
function merged(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const members = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch))
    if (value === null) members.delete(name);
    else members.set(name, merged(members.get(name), value));
  return Object.fromEntries(members);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Undefined unless it is JSON, and a number that a double holds. */
function numberOf(text: string): number | undefined {
  const json = jsonOf(text)?.json;
  return typeof json === 'number' && Number.isFinite(json) ? json : undefined;
}

function jsonOf(text: string): { json: unknown } | undefined {
  try {
    return { json: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
