import t from 'tap';
import { toStoreError } from '#lib/postgres-error.js';
import type { StoreErrorKind } from '#lib/store.js';

/** Errors as the driver makes them: those of the server have a SQLSTATE, its own have a name. */
const ERRORS: readonly (readonly [string, StoreErrorKind, string])[] = [
  ['22001', 'REJECTED', 'a value too long'],
  ['22012', 'REJECTED', 'division by zero, in an index expression'],
  ['22021', 'REJECTED', 'a character that the encoding has not'],
  ['23514', 'REJECTED', 'a check of the operator'],
  ['54000', 'REJECTED', 'an index row too large'],
  ['P0001', 'REJECTED', 'raised by a function'],
  ['25006', 'UNAVAILABLE', 'read-only, as after a failover'],
  ['25P02', 'UNAVAILABLE', 'an aborted transaction'],
  ['53100', 'UNAVAILABLE', 'disk full'],
  ['53200', 'UNAVAILABLE', 'out of memory'],
  ['53300', 'UNAVAILABLE', 'too many connections'],
  ['57014', 'UNAVAILABLE', 'statement timeout'],
  ['57P01', 'UNAVAILABLE', 'administrator shutdown'],
  ['57P02', 'UNAVAILABLE', 'crash of another backend'],
  ['57P03', 'UNAVAILABLE', 'starting up'],
  ['40001', 'UNAVAILABLE', 'serialization failure'],
  ['40P01', 'UNAVAILABLE', 'deadlock'],
  ['08006', 'UNAVAILABLE', 'connection failure'],
  ['08007', 'UNAVAILABLE', 'commit with unknown outcome'],
  ['28P01', 'UNAVAILABLE', 'wrong password'],
  ['3D000', 'UNAVAILABLE', 'no such database'],
  ['42501', 'UNAVAILABLE', 'no permission'],
  ['42P01', 'UNAVAILABLE', 'no such table'],
  ['58030', 'UNAVAILABLE', 'input or output error'],
  ['XX001', 'DAMAGED', 'damaged data'],
  ['XX002', 'DAMAGED', 'a damaged index'],
  ['ECONNREFUSED', 'UNAVAILABLE', 'nobody listens'],
  ['ECONNRESET', 'UNAVAILABLE', 'the connection was cut'],
  ['CONNECTION_CLOSED', 'UNAVAILABLE', 'the connection has ended'],
  ['CONNECT_TIMEOUT', 'UNAVAILABLE', 'no answer'],
];

t.test(
  'WB-49: an error that speaks of the data is REJECTED, every other one an outage',
  async (t) => {
    for (const [code, kind, message] of ERRORS) {
      const error = toStoreError(Object.assign(new Error(message), { code }));
      const state = code.length === 5 ? code : '';
      t.match(
        error,
        { kind, code: state, message: new RegExp(`${message}\\.$`) },
        `${code} ${message}`,
      );
    }
    t.match(toStoreError(new Error('no answer for 30 s')), { kind: 'UNAVAILABLE' });
    t.match(toStoreError('a text'), { kind: 'UNAVAILABLE', message: /a text/ });
  },
);
