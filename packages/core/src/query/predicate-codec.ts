import {
  create,
  type DescMessage,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import {
  type Field as FieldMessage,
  FieldSchema,
  type Literal as LiteralMessage,
  type LiteralSchema,
  type Predicate as PredicateMessage,
  PredicateSchema,
  RecordField,
} from '@tidewire/schemas';
import { unreachable } from '../assert.js';
import { PREDICATE_BYTES_MAX } from '../limits.js';
import type { Field, Literal, Predicate } from './predicate.js';
import {
  checkDepth,
  checkField,
  checkPredicate,
  pathTo,
  tooLarge,
  wrong,
} from './predicate-check.js';

/** Predicates and fields to and from the wire. What is read here is understood wholly or refused. */

/** @throws PredicateError unless `bytes` are a sound Predicate message. */
export function decodePredicate(bytes: Uint8Array): Predicate {
  return predicateOf(parse(PredicateSchema, bytes));
}

/** @throws PredicateError unless `message` is a sound predicate; its length is not checked. */
export function predicateOf(message: PredicateMessage): Predicate {
  const predicate = nodeOf(message, '', 1);
  checkPredicate(predicate);
  return predicate;
}

/** @throws PredicateError unless `predicate` is sound and its message within the limit. */
export function encodePredicate(predicate: Predicate): Uint8Array<ArrayBuffer> {
  return bounded(toBinary(PredicateSchema, messageOf(predicate)));
}

/** @throws PredicateError unless `predicate` is sound. */
export function messageOf(predicate: Predicate): PredicateMessage {
  checkPredicate(predicate);
  return create(PredicateSchema, predicateInit(predicate));
}

/** @throws PredicateError unless `bytes` are a sound Field message. */
export function decodeField(bytes: Uint8Array): Field {
  return fieldOf(parse(FieldSchema, bytes));
}

/** @throws PredicateError unless `message` is a sound field. */
export function fieldOf(message: FieldMessage): Field {
  const field = placeOf(message, 'field');
  checkField(field, 'field');
  return field;
}

/** @throws PredicateError unless `field` is sound and its message within the limit. */
export function encodeField(field: Field): Uint8Array<ArrayBuffer> {
  return bounded(toBinary(FieldSchema, fieldMessageOf(field)));
}

/** @throws PredicateError unless `field` is sound. */
export function fieldMessageOf(field: Field): FieldMessage {
  checkField(field, 'field');
  return create(FieldSchema, fieldInit(field));
}

function parse<Schema extends DescMessage>(
  schema: Schema,
  bytes: Uint8Array,
): MessageShape<Schema> {
  bounded(bytes);
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    // The library stops at 100 levels, long before the stack ends; it has no error class for it.
    const reason = error instanceof Error ? error.message : String(error);
    if (reason.includes('recursion depth')) throw tooLarge('', 'nested too deeply');
    throw wrong('', 'not a Protobuf message of this kind');
  }
}

function bounded<Bytes extends Uint8Array>(bytes: Bytes): Bytes {
  if (bytes.length <= PREDICATE_BYTES_MAX) return bytes;
  throw tooLarge('', `${bytes.length} bytes long, limit ${PREDICATE_BYTES_MAX}`);
}

/** A field that this version does not know could change the meaning of those it knows. */
function refuseUnknown(message: Message, path: string): void {
  const unknown = message.$unknown?.[0];
  if (unknown) throw wrong(path, `part ${unknown.no} of the message is not known here`);
}

function nodeOf(message: PredicateMessage, path: string, depth: number): Predicate {
  checkDepth(depth, path);
  refuseUnknown(message, path);
  const { test } = message;
  if (test.case === undefined) throw wrong(path, 'the test is missing');
  const here = pathTo(path, test.case);
  if (test.case === 'not') return { kind: 'not', predicate: nodeOf(test.value, here, depth + 1) };
  refuseUnknown(test.value, here);
  switch (test.case) {
    case 'all':
    case 'any': {
      const children = test.value.predicates;
      const predicates = children.map((child, i) => nodeOf(child, `${here}[${i}]`, depth + 1));
      return { kind: test.case, predicates };
    }
    case 'exists':
      return { kind: 'exists', field: placeOf(test.value, here) };
    case 'prefix':
    case 'like':
      return { kind: test.case, field: placeOf(test.value.field, here), text: test.value.text };
    case 'in': {
      const literals = test.value.literals.map((literal) => literalOf(literal, here));
      return { kind: 'in', field: placeOf(test.value.field, here), literals };
    }
    case 'between': {
      const { field, low, high } = test.value;
      const ends = { low: literalOf(low, here), high: literalOf(high, here) };
      return { kind: 'between', field: placeOf(field, here), ...ends };
    }
    default: {
      const { field, literal } = test.value;
      return { kind: test.case, field: placeOf(field, here), literal: literalOf(literal, here) };
    }
  }
}

function placeOf(message: FieldMessage | undefined, path: string): Field {
  if (message === undefined) throw wrong(path, 'the field is missing');
  refuseUnknown(message, path);
  const { recordField, steps } = message;
  if (recordField === RecordField.UNSPECIFIED)
    return { kind: 'value', steps: steps.map((step) => stepOf(step, path)) };
  if (steps.length > 0) throw wrong(path, 'a field of the record itself has no steps');
  if (recordField === RecordField.KEY) return { kind: 'key' };
  if (recordField === RecordField.STAMP) return { kind: 'stamp' };
  throw wrong(path, `record field ${recordField} is not known here`);
}

function stepOf(message: FieldMessage['steps'][number], path: string): string | number {
  refuseUnknown(message, path);
  if (message.step.case === undefined) throw wrong(path, 'a step of the field is empty');
  return message.step.value;
}

function literalOf(message: LiteralMessage | undefined, path: string): Literal {
  if (message === undefined) throw wrong(path, 'the literal is missing');
  refuseUnknown(message, path);
  const { literal } = message;
  if (literal.case === undefined) throw wrong(path, 'the literal is empty');
  return literal.case === 'null' ? null : literal.value;
}

function predicateInit(predicate: Predicate): MessageInitShape<typeof PredicateSchema> {
  switch (predicate.kind) {
    case 'all':
    case 'any': {
      const predicates = predicate.predicates.map(predicateInit);
      return { test: { case: predicate.kind, value: { predicates } } };
    }
    case 'not':
      return { test: { case: 'not', value: predicateInit(predicate.predicate) } };
    case 'exists':
      return { test: { case: 'exists', value: fieldInit(predicate.field) } };
    default:
      return { test: testInit(predicate) };
  }
}

type Test = Exclude<Predicate, { kind: 'all' | 'any' | 'not' | 'exists' }>;
type TestInit = NonNullable<MessageInitShape<typeof PredicateSchema>['test']>;

function testInit(test: Test): TestInit {
  const field = fieldInit(test.field);
  switch (test.kind) {
    case 'prefix':
    case 'like':
      return { case: test.kind, value: { field, text: test.text } };
    case 'in':
      return { case: 'in', value: { field, literals: test.literals.map(literalInit) } };
    case 'between': {
      const value = { field, low: literalInit(test.low), high: literalInit(test.high) };
      return { case: 'between', value };
    }
    case 'eq':
    case 'ne':
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge':
    case 'contains':
      return { case: test.kind, value: { field, literal: literalInit(test.literal) } };
    default:
      return unreachable(test);
  }
}

function fieldInit(field: Field): MessageInitShape<typeof FieldSchema> {
  if (field.kind === 'key') return { recordField: RecordField.KEY };
  if (field.kind === 'stamp') return { recordField: RecordField.STAMP };
  const steps = field.steps.map((step) =>
    typeof step === 'string'
      ? { step: { case: 'name' as const, value: step } }
      : { step: { case: 'index' as const, value: step } },
  );
  return { steps };
}

function literalInit(literal: Literal): MessageInitShape<typeof LiteralSchema> {
  switch (typeof literal) {
    case 'number':
      return { literal: { case: 'number', value: literal } };
    case 'string':
      return { literal: { case: 'text', value: literal } };
    case 'boolean':
      return { literal: { case: 'boolean', value: literal } };
    default:
      return { literal: { case: 'null', value: true } };
  }
}
