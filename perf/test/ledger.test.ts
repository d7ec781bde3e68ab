import { Code } from '@tidewire/core';
import t from 'tap';
import { Ledger } from '#lib/load/ledger.js';

t.test('PERF-8: every request has one answer: second, foreign and missing ones show', async (t) => {
  const ledger = new Ledger(8192);
  for (let request = 0; request < 5; request++) ledger.send(request, request * 10);
  t.equal(ledger.answer(3, Code.APPLIED, 0), 30, 'answers may overtake each other');
  t.equal(ledger.answer(3, Code.APPLIED, 0), -1, 'a second answer');
  t.equal(ledger.answer(77, Code.APPLIED, 0), -1, 'an answer to nothing');
  ledger.answer(0, Code.SUPERSEDED, 0);
  ledger.answer(1, 0, Code.OVERLOADED);
  ledger.answer(2, Code.APPLIED, Code.NOT_YET_DURABLE);
  t.equal(ledger.open, 1);
  const account = ledger.close();
  t.match(account, { sent: 5, acked: 3, refused: 1, unknown: 2, unanswered: 1 });
  t.equal(account.codes[Code.SUPERSEDED], 1);
  t.equal(account.codes[Code.OVERLOADED], 1);
  t.equal(ledger.answer(4, Code.APPLIED, 0), -1, 'an answer after the end of the run');
});

t.test('PERF-8: a request overtaken by thousands of others counts as unanswered', async (t) => {
  const ledger = new Ledger(8192);
  for (let request = 0; request < 10_000; request++) {
    ledger.send(request, 0);
    if (request !== 17) ledger.answer(request, Code.APPLIED, 0);
  }
  const account = ledger.close();
  t.match(account, { sent: 10_000, acked: 9999, unanswered: 1, unknown: 0 });
});
