import fc from 'fast-check';
import t from 'tap';
import { LIKE_BYTES_MAX, VALUE_BYTES_MAX } from '#lib/limits.js';
import { likeMatcher } from '#lib/query/like.js';
import { matches } from './predicate-oracle.js';
import { holds } from './property.js';

function like(text: string, pattern: string): boolean {
  return likeMatcher(pattern)(text);
}

t.test('PRED-7: % stands for any run, _ for one character, all else for itself', async (t) => {
  for (const [text, pattern, expected] of [
    ['', '', true],
    ['', '%', true],
    ['', '_', false],
    ['a', '', false],
    ['abc', 'abc', true],
    ['abc', 'ABC', false],
    ['abc', 'a%', true],
    ['abc', '%c', true],
    ['abc', '%b%', true],
    ['abc', 'a_c', true],
    ['abc', '_', false],
    ['abc', '___', true],
    ['abc', '____', false],
    ['abc', '%_%_%_%', true],
    ['abc', '%_%_%_%_%', false],
    ['aba', 'ab%ba', false],
    ['abba', 'ab%ba', true],
    ['a.c', 'a.c', true],
    ['abc', 'a.c', false],
    ['a\nb', 'a%b', true],
    ['a\nb', 'a_b', true],
    ['50%', '50\\%', false],
    ['aXbXc', 'a%X_', true],
    ['xaab', '%a_b', true],
  ] as const)
    t.equal(like(text, pattern), expected, `${JSON.stringify(text)} like '${pattern}'`);
});

t.test('PRED-7: a character beyond 16 bits is one, and so is half of one', async (t) => {
  t.ok(like('\u{1f600}', '_'));
  t.notOk(like('\u{1f600}', '__'));
  t.ok(like('a\u{1f600}b', 'a_b'));
  t.ok(like('a\u{1f600}b', '%_b'));
  t.ok(like('\ud83d', '_'));
  t.ok(like('\ude00\ud83d', '__'));
  t.notOk(like('a\u{1f600}', '%\ude00'), 'a half does not match within a whole');
});

t.test('PRED-7: random patterns match as regular expressions do', async (t) => {
  const words = (parts: string[], maxLength: number) =>
    fc.array(fc.constantFrom(...parts), { maxLength }).map((parts) => parts.join(''));
  const text = words(['a', 'b', 'ab', '\u{1f600}', '\ud83d'], 12);
  const pattern = words(['a', 'b', '%', '_', 'ab', '\u{1f600}'], 8);
  const field = { kind: 'value', steps: [] } as const;
  holds(
    t,
    fc.property(text, pattern, (value, text) => {
      const expected = matches({ kind: 'like', field, text }, { key: 'k', stampMs: 0, value });
      return like(value, text) === expected;
    }),
    20_000,
  );
});

t.test('PRED-7: parts longer than a word of bits are found anywhere', async (t) => {
  const part = `${'ab_'.repeat(25)}c`;
  const found = `${'abx'.repeat(25)}c`;
  for (const before of [0, 1, 31, 32, 33, 63, 64, 65]) {
    const text = `${'abx'.repeat(before)}${found}tail`;
    t.ok(like(text, `%${part}%`), `behind ${before}`);
    t.notOk(like(text.replace('ctail', 'dtail'), `%${part}%`), `not behind ${before}`);
  }
});

t.test('PRED-7: the most hostile pattern costs a bounded number of steps', async (t) => {
  // Were every beginning tried to its end, a pattern would take some 10¹⁰ steps: the time of a test.
  const text = 'a'.repeat(VALUE_BYTES_MAX);
  for (const pattern of [
    `%${'a'.repeat(LIKE_BYTES_MAX - 3)}b%`,
    `%b${'a'.repeat(LIKE_BYTES_MAX - 3)}%`,
    `%${'_a'.repeat(LIKE_BYTES_MAX / 2 - 2)}b%`,
    `${'%a'.repeat(LIKE_BYTES_MAX / 2 - 1)}%b`,
    `${'%_'.repeat(LIKE_BYTES_MAX / 2 - 1)}%b`,
  ]) {
    const matcher = likeMatcher(pattern);
    let isFound = false;
    for (let i = 0; i < 300; i++) isFound ||= matcher(text);
    t.notOk(isFound, `${pattern.slice(0, 8)}… 300 times`);
  }
});
