import { Code, DETAIL_BYTES_MAX } from '@tidewire/core';
import t from 'tap';
import { ProcessorNames } from '#lib/operation/processor-names.js';

const sentence = (names: readonly string[], name: string): string => {
  const refusal = new ProcessorNames(names).numberOf(name);
  return typeof refusal === 'number' ? `${refusal}` : `${Code[refusal.code]} ${refusal.sentence}`;
};

t.test(
  'PROC-11: a processor that nobody knows is refused by name, with those that there are',
  (t) => {
    t.equal(sentence(['drop', 'withdraw'], 'withdraw'), '1');
    const which = 'INVALID There is no processor "take"; there are: drop, withdraw.';
    t.equal(sentence(['drop', 'withdraw'], 'take'), which);
    t.equal(
      sentence([], 'take'),
      'FORBIDDEN This server was started without --processors: it executes none.',
    );
    t.end();
  },
);

t.test('PROC-11: names too long to tell are cut, lists too long are counted', (t) => {
  const many = Array.from({ length: 50 }, (_, i) => `processor${i}`);
  t.equal(
    sentence(many, 'ä'.repeat(1000)),
    `INVALID There is no processor "${'ä'.repeat(32)}…" among the 50 of this server.`,
  );
  for (let length = 0; length <= DETAIL_BYTES_MAX; length++)
    t.ok(sentence(['x'.repeat(length)], '\u{1f30a}'.repeat(40)).length <= DETAIL_BYTES_MAX + 8);
  t.end();
});
