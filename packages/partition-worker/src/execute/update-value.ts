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

export type Updated =
  | { readonly value: Uint8Array }
  /** INVALID: the argument is wrong; PRECONDITION: the value is of another kind; TOO_LARGE. */
  | { readonly refusal: Code };

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
  if (argument === undefined) return { refusal: Code.INVALID };
  if (current !== undefined && before === undefined) return { refusal: Code.PRECONDITION };
  const text = isNumeric(update.kind)
    ? updatedNumber(update.kind, argument, before)
    : updatedDocument(update, argument, before);
  if (typeof text === 'number') return { refusal: text };
  const value = encoder.encode(text);
  return value.length > VALUE_BYTES_MAX ? { refusal: Code.TOO_LARGE } : { value };
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
): string | Code {
  const operand = numberOf(argument);
  if (operand === undefined) return Code.INVALID;
  if (before === undefined) return argument.trim();
  const number = numberOf(before);
  if (number === undefined) return Code.PRECONDITION;
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

function sumOf(left: string, right: string, sum: number): string | Code {
  if (INTEGER.test(left) && INTEGER.test(right)) return String(BigInt(left) + BigInt(right));
  return Number.isFinite(sum) ? JSON.stringify(sum) : Code.PRECONDITION;
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
): string | Code {
  const operand = jsonOf(argument);
  if (operand === undefined) return Code.INVALID;
  const document = before === undefined ? { json: undefined } : jsonOf(before);
  if (document === undefined) return Code.PRECONDITION;
  if (update.kind === OperationKind.MERGE)
    return JSON.stringify(merged(document.json, operand.json));
  const array = document.json ?? [];
  if (!Array.isArray(array)) return Code.PRECONDITION;
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
