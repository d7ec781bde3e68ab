/** Entry of P13's consumer: takes 64-byte records from a ring, or from its message port. */
import { parentPort, workerData } from 'node:worker_threads';
import { Doorbell, RingConsumer } from '@tidewire/core/threads';

// Words of the shared state. Writer: the consumer, LIMIT apart.
export const LIMIT = 0;
export const COUNT = 16;
export const SUM = 17;
export const DOORBELL = 32;

const SLEEP_MS = 100;

export interface HandOff {
  /** Undefined: the records come as messages. */
  readonly ring: SharedArrayBuffer | undefined;
  readonly shared: SharedArrayBuffer;
}

if (parentPort !== null) consume(workerData as HandOff);

function consume(handOff: HandOff): void {
  const state = new Int32Array(handOff.shared);
  parentPort?.postMessage('ready');
  if (handOff.ring === undefined) consumeMessages(state);
  else consumeRing(new RingConsumer(handOff.ring), state);
}

function consumeRing(ring: RingConsumer, state: Int32Array): void {
  const doorbell = new Doorbell(state, DOORBELL);
  const limit = state[LIMIT];
  let sum = 0;
  for (let count = 0; count < limit; ) {
    if (!ring.next()) {
      Atomics.store(state, COUNT, count);
      doorbell.sleep(() => !ring.isEmpty(), SLEEP_MS);
      continue;
    }
    sum = (sum + ring.words[ring.index]) | 0;
    ring.release();
    count++;
  }
  finish(state, limit, sum);
}

function consumeMessages(state: Int32Array): void {
  const limit = state[LIMIT];
  let count = 0;
  let sum = 0;
  const onRecord = (words: Int32Array): void => {
    sum = (sum + words[0]) | 0;
    count++;
    if (count === limit) {
      finish(state, limit, sum);
      parentPort?.off('message', onRecord);
    } else if ((count & 255) === 0) Atomics.store(state, COUNT, count);
  };
  parentPort?.on('message', onRecord);
}

function finish(state: Int32Array, count: number, sum: number): void {
  Atomics.store(state, SUM, sum);
  Atomics.store(state, COUNT, count);
  Atomics.notify(state, COUNT);
}
