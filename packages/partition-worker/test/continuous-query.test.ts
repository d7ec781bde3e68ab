import { EventKind } from '@tidewire/schemas';
import t from 'tap';
import { eventKindOf } from '#lib/query/continuous-query.js';

t.test(
  'INDEX-1: a change enters, updates, leaves or does not concern what held and holds',
  async (t) => {
    t.equal(eventKindOf(false, true), EventKind.ENTER);
    t.equal(eventKindOf(true, true), EventKind.UPDATE);
    t.equal(eventKindOf(true, false), EventKind.LEAVE);
    t.equal(eventKindOf(false, false), EventKind.UNSPECIFIED);
  },
);
