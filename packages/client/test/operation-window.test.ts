import { test } from 'tap';
import { OperationWindow, type PendingOperation } from '#lib/operation-window.js';

const BATCH = { inFlightMax: 100, frameOperationsMax: 100, frameBytesMax: 1000 };

function operation(window: OperationWindow, deadlineMs = 0, frameBytes = 10): PendingOperation {
  return {
    requestId: window.nextRequestId(),
    kind: 'put',
    map: 'm',
    key: 'k',
    value: new Uint8Array(0),
    storedAs: 'json',
    stamp: undefined,
    ttlMs: 0,
    safe: false,
    frameBytes,
    deadlineMs,
    inFlight: false,
    attempted: false,
    firstMemory: 0n,
    onResult: () => {},
    onRefusal: () => {},
  };
}

function filled(count: number): OperationWindow {
  const window = new OperationWindow({ queueOperationsMax: 100, queueBytesMax: 1000 });
  for (let i = 1; i <= count; i++) window.accept(operation(window, i));
  return window;
}

const ids = (batch: readonly PendingOperation[]): number[] =>
  batch.map(({ requestId }) => requestId);

test('CLIENT-9: what a lost connection left comes back before what waited, oldest first', (t) => {
  const window = filled(5);
  t.same(ids(window.takeBatch({ ...BATCH, inFlightMax: 3 })), [1, 2, 3]);
  t.equal(window.settle(2)?.requestId, 2);
  t.equal(window.settle(2), undefined, 'an answer counts once');
  t.equal(window.settle(4), undefined, 'nobody asked yet');
  window.requeue();
  t.equal(window.settle(1), undefined, 'the answers of the old connection are void');
  t.same(ids(window.takeBatch(BATCH)), [1, 3, 4, 5]);
  t.end();
});

test('CLIENT-8: the queue is bounded in number and bytes; room returns', (t) => {
  const window = new OperationWindow({ queueOperationsMax: 2, queueBytesMax: 100 });
  t.equal(window.accept(operation(window, 1, 60)), true);
  t.equal(window.accept(operation(window, 2, 41)), false);
  t.equal(window.accept(operation(window, 3, 40)), true);
  t.equal(window.accept(operation(window, 4, 0)), false);
  t.equal(window.takeBatch({ ...BATCH, frameOperationsMax: 1 }).length, 1);
  t.equal(window.accept(operation(window, 5, 60)), true);
  t.equal(window.takeExpired(3).length, 2);
  t.equal(window.accept(operation(window, 6, 40)), true, 'the expired have left room too');
  t.end();
});

test('CLIENT-10: the deadlines’ order is the order of acceptance', (t) => {
  const window = filled(4);
  window.takeBatch({ ...BATCH, inFlightMax: 1 });
  t.equal(window.earliestDeadlineMs, 1);
  t.same(ids(window.takeExpired(2)), [1, 2]);
  t.equal(window.earliestDeadlineMs, 3);
  t.same(ids(window.takeBatch(BATCH)), [3, 4], 'an expired one is not sent');
  t.same(ids(window.takeExpired(Number.POSITIVE_INFINITY)), [3, 4]);
  t.equal(window.earliestDeadlineMs, undefined);
  t.end();
});

test('CLIENT-7: an operation beyond a shrunken frame limit goes alone and blocks nobody', (t) => {
  const window = filled(2);
  t.same(ids(window.takeBatch({ ...BATCH, frameBytesMax: 5 })), [1]);
  t.same(ids(window.takeBatch({ ...BATCH, frameBytesMax: 5 })), [2]);
  t.end();
});
