/**
 * Preload of a load process that skips work, every hundredth operation, as `?cheat=` says:
 * `unsent` books what it never sends; `claimed` also books an answer for it; `deaf` drops an event;
 * `twice` books an answer twice.
 */
import { Connection } from '../load/connection.js';
import type { Dialect } from '../load/dialect.js';
import { OUTCOME_DONE } from '../load/dialect.js';

const EVERY = 100;

const cheat: string | null = new URL(import.meta.url).searchParams.get('cheat');
let seen = 0;

function isCaught(): boolean {
  return ++seen % EVERY === 0;
}

function skipSending(connection: Connection, dialect: Dialect): void {
  const encode = dialect.encode.bind(dialect);
  dialect.encode = (target, at, request, clock) => {
    if (!isCaught()) return encode(target, at, request, clock);
    if (cheat === 'claimed') queueMicrotask(() => connection.answer(request, OUTCOME_DONE, 0));
    return 0;
  };
}

const { open, answer, event } = Connection.prototype;

if (cheat === 'unsent' || cheat === 'claimed')
  Connection.prototype.open = function (port, dialect): Promise<void> {
    skipSending(this, dialect);
    return open.call(this, port, dialect);
  };
if (cheat === 'twice')
  Connection.prototype.answer = function (request, outcome, refusal): void {
    answer.call(this, request, outcome, refusal);
    if (isCaught()) answer.call(this, request, outcome, refusal);
  };
if (cheat === 'deaf')
  Connection.prototype.event = function (partition, sequence): void {
    if (!isCaught()) event.call(this, partition, sequence);
  };
