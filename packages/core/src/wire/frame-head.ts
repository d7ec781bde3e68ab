import { writeHead } from './frame-writer.js';
import { varintBytes, writeVarint } from './wire-bytes.js';

/** Heads of the frames whose entries a worker has written: they are not decoded on their way. */

const CATCH_UP_TAG = 0x52;
const ROWS_TAG = 0x62;
// CatchUp and Rows
const ID_TAG = 0x08;
const IS_DONE_TAG = 0x18;

/** Room to keep in front of the entries of CatchUp or Rows. */
export const STREAM_HEAD_BYTES_MAX: number = 9 + 6 + 6 + 2;

/**
 * Writes the head of a ServerFrame whose CatchUp entries are `target[start, end)`, directly before
 * them, and returns where the frame begins. STREAM_HEAD_BYTES_MAX before `start` must be free.
 */
export function writeCatchUpHead(
  target: Uint8Array,
  start: number,
  end: number,
  catchUp: { subscriptionId: number; isDone: boolean },
  clock: { ms: number; counter: number },
): number {
  let body = start;
  if (catchUp.isDone) {
    body -= 2;
    target[body] = IS_DONE_TAG;
    target[body + 1] = 1;
  }
  return writeIdHead(target, body, end, CATCH_UP_TAG, catchUp.subscriptionId, clock);
}

/** As `writeCatchUpHead`, for Rows. */
export function writeRowsHead(
  target: Uint8Array,
  start: number,
  end: number,
  requestId: number,
  clock: { ms: number; counter: number },
): number {
  return writeIdHead(target, start, end, ROWS_TAG, requestId, clock);
}

function writeIdHead(
  target: Uint8Array,
  start: number,
  end: number,
  tag: number,
  id: number,
  clock: { ms: number; counter: number },
): number {
  const body = start - 1 - varintBytes(id);
  target[body] = ID_TAG;
  writeVarint(target, body + 1, id);
  return writeHead(target, body, tag, end - body, clock.ms, clock.counter);
}
