import t from 'tap';
import { CODE_SENTENCES, Code, closeCodeOf, isRefusal } from '#lib/code.js';
import * as Limits from '#lib/limits.js';
import { keyLengthOf, packLengths, valueLengthOf } from '#lib/memory/record-layout.js';

t.test('LIMIT-1: every limit is a whole number above 0', async (t) => {
  for (const [name, limit] of Object.entries(Limits))
    t.ok(Number.isSafeInteger(limit) && limit > 0, `${name} = ${limit}`);
});

t.test('LIMIT-2: the longest key and value fit a record’s lengths', async (t) => {
  const lengths = packLengths(Limits.KEY_BYTES_MAX, Limits.VALUE_BYTES_MAX);
  t.equal(keyLengthOf(lengths), Limits.KEY_BYTES_MAX);
  t.equal(valueLengthOf(lengths), Limits.VALUE_BYTES_MAX);
});

t.test('LIMIT-3: an expiry stays a safe number of 48 bits', async (t) => {
  t.ok(Limits.TTL_MS_MAX + 2 ** 47 < 2 ** 48);
});

t.test('LIMIT-4: every code has a sentence and a close code of its own', async (t) => {
  const codes = Object.values(Code).filter((code): code is Code => typeof code === 'number');
  for (const code of codes) {
    t.match(CODE_SENTENCES[code], /^[A-Z].*\.$/);
    t.ok(closeCodeOf(code) >= 4000 && closeCodeOf(code) <= 4999);
    t.equal(isRefusal(code), code >= 16);
  }
});
