import { Code, VALUE_BYTES_MAX } from '@tidewire/core';
import { OperationKind } from '@tidewire/schemas';
import t from 'tap';
import { type UpdateKind, updatedValue } from '#lib/execute/update-value.js';

const { APPEND, INCREMENT, MAXIMUM, MERGE, MINIMUM } = OperationKind;

/** What an update makes of a value, or the name of the refusal. */
function update(kind: UpdateKind, before: string | undefined, argument: string, keep = 0): string {
  const current = before === undefined ? undefined : Buffer.from(before);
  const updated = updatedValue({ kind, argument: Buffer.from(argument), keep }, current);
  return 'value' in updated ? Buffer.from(updated.value).toString() : Code[updated.refusal];
}

const NUMBERS: readonly [UpdateKind, string | undefined, string, string][] = [
  [INCREMENT, undefined, '5', '5'],
  [INCREMENT, '41', '1', '42'],
  [INCREMENT, ' 41 ', '-1', '40'],
  [INCREMENT, '9007199254740993', '1', '9007199254740994'],
  [INCREMENT, '123456789012345678901234567890', '1', '123456789012345678901234567891'],
  [INCREMENT, '0.5', '1', '1.5'],
  [INCREMENT, '-0', '0', '0'],
  [INCREMENT, '1e308', '1e308', 'PRECONDITION'],
  [INCREMENT, '"41"', '1', 'PRECONDITION'],
  [INCREMENT, 'null', '1', 'PRECONDITION'],
  [INCREMENT, 'nonsense', '1', 'PRECONDITION'],
  [INCREMENT, '1', '"1"', 'INVALID'],
  [INCREMENT, '1', '1e400', 'INVALID'],
  [INCREMENT, '1', '', 'INVALID'],
  [MINIMUM, undefined, '7', '7'],
  [MINIMUM, '5', '7', '5'],
  [MINIMUM, '5', '3', '3'],
  [MINIMUM, '9007199254740993', '9007199254740992', '9007199254740992'],
  [MAXIMUM, '5', '7', '7'],
  [MAXIMUM, '5', '4.5', '5'],
  [MAXIMUM, '9007199254740993', '9007199254740992', '9007199254740993'],
  [MAXIMUM, '[]', '1', 'PRECONDITION'],
];

t.test('UPDATE-1: numbers are added and compared, integers exactly', async (t) => {
  for (const [kind, before, argument, after] of NUMBERS)
    t.equal(update(kind, before, argument), after, `${OperationKind[kind]} ${before} ${argument}`);
});

/** The examples of RFC 7396, appendix A: original, patch, result. */
const PATCHES: readonly [string, string, string][] = [
  ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
  ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
  ['{"a":"b"}', '{"a":null}', '{}'],
  ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
  ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
  ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
  ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
  ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
  ['["a","b"]', '["c","d"]', '["c","d"]'],
  ['{"a":"b"}', '["c"]', '["c"]'],
  ['{"a":"foo"}', 'null', 'null'],
  ['{"a":"foo"}', '"bar"', '"bar"'],
  ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
  ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
  ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
];

t.test('UPDATE-2: a merge patch does what RFC 7396 says', async (t) => {
  for (const [before, patch, after] of PATCHES)
    t.equal(update(MERGE, before, patch), after, `${before} ${patch}`);
  t.equal(update(MERGE, undefined, '{"a":1,"b":null}'), '{"a":1}', 'of nothing');
  t.equal(update(MERGE, '{}', '{"__proto__":{"x":1}}'), '{"__proto__":{"x":1}}', 'only a name');
  t.equal(update(MERGE, 'nonsense', '{}'), 'PRECONDITION');
  t.equal(update(MERGE, '{}', 'nonsense'), 'INVALID');
});

t.test('UPDATE-3: an element is appended, and only so many of the last stay', async (t) => {
  t.equal(update(APPEND, undefined, '1'), '[1]');
  t.equal(update(APPEND, '[1,"a"]', '{"b":null}'), '[1,"a",{"b":null}]');
  t.equal(update(APPEND, '[1,2,3]', '4', 2), '[3,4]');
  t.equal(update(APPEND, '[1]', '2', 5), '[1,2]');
  t.equal(update(APPEND, '{}', '1'), 'PRECONDITION');
  t.equal(update(APPEND, '[]', 'nonsense'), 'INVALID');
  const long = JSON.stringify('x'.repeat(VALUE_BYTES_MAX - 2));
  t.equal(update(APPEND, '[]', long), 'TOO_LARGE');
});

t.test('UPDATE-4: bytes that are no text are refused, not guessed', async (t) => {
  const bytes = Uint8Array.of(0x31, 0xff);
  const one = Buffer.from('1');
  const kind = INCREMENT;
  t.match(updatedValue({ kind, argument: bytes, keep: 0 }, one), { refusal: Code.INVALID });
  t.match(updatedValue({ kind, argument: one, keep: 0 }, bytes), { refusal: Code.PRECONDITION });
});

const REASONS: readonly [UpdateKind, string, string, string][] = [
  [INCREMENT, '"41"', '1', 'increment is for numbers; the value is a string.'],
  [INCREMENT, '{"a":1}', '1', 'increment is for numbers; the value is an object.'],
  [MAXIMUM, '[]', '1', 'maximum is for numbers; the value is an array.'],
  [MINIMUM, 'null', '1', 'minimum is for numbers; the value is null.'],
  [MINIMUM, '1', 'true', 'The argument of minimum is not a number.'],
  [INCREMENT, '1e308', '1e308', 'The sum is more than a double holds.'],
  [APPEND, '{}', '1', 'append is for arrays; the value is an object.'],
  [APPEND, '[]', '[', 'The argument of append is not JSON.'],
  [MERGE, '[', '{}', 'merge is for JSON values; the value is not JSON.'],
];

t.test('UPDATE-32: a refusal says what the update is for and what it found', async (t) => {
  for (const [kind, before, argument, reason] of REASONS) {
    const update = { kind, argument: Buffer.from(argument), keep: 0 };
    t.match(updatedValue(update, Buffer.from(before)), { reason });
  }
});
