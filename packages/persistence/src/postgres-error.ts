import { StoreError } from './store.js';

/** Classes of SQLSTATE (Postgres manual, appendix A) that speak of the data, not of the server. */
const REJECTED_CLASSES: ReadonlySet<string> = new Set([
  '22', // data exception
  '23', // integrity constraint violation
  '54', // program limit exceeded
  'P0', // raised by a function, as of an index that the operator added
]);

/** Internal errors, as of a damaged page of a table or an index. */
const DAMAGED_CLASS = 'XX';

/** The SQLSTATE of an error that the server sent, else an empty text. */
function stateOf(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return '';
  const code = String(error.code);
  return code.length === 5 ? code : '';
}

/** What an error of the driver means to the caller of a store. */
export function toStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const message = error instanceof Error && error.message !== '' ? error.message : String(error);
  const state = stateOf(error);
  if (REJECTED_CLASSES.has(state.slice(0, 2)))
    return new StoreError('REJECTED', `The database refuses a record: ${message}.`, error, state);
  const kind = state.startsWith(DAMAGED_CLASS) ? 'DAMAGED' : 'UNAVAILABLE';
  return new StoreError(kind, `The database is not available: ${message}.`, error, state);
}
