import { OPERATIONS_A_TURN } from '@tidewire/core';
import { Doorbell } from '@tidewire/core/threads';
import t from 'tap';
import { GatewayLoop } from '#lib/gateway-loop.js';

/** A loop over an agent that writes down what it is asked; it never rests by itself. */
function loopOf(onWork: (loop: GatewayLoop) => void = () => {}): {
  loop: GatewayLoop;
  done: string[];
} {
  const done: string[] = [];
  const doorbell = new Doorbell(new Int32Array(new SharedArrayBuffer(4)), 0);
  const gateway = {
    outstanding: 0,
    doWork: () => {
      done.push('work');
      onWork(loop);
      return 0;
    },
    flush: () => void done.push('flush'),
    hasWork: () => true,
    msLeft: () => 0,
  };
  const loop: GatewayLoop = new GatewayLoop({ gateway, doorbell, nowUs: () => 0 });
  return { loop, done };
}

t.test(
  'LIMIT-24: what is done is answered after so many operations, before all sockets are read',
  async (t) => {
    const { loop, done } = loopOf();
    t.teardown(() => loop.stop());
    for (let i = 1; i < OPERATIONS_A_TURN; i++) loop.onTaken(1);
    t.same(done, [], 'few wait for the event loop');
    loop.onTaken(1);
    t.same(done, ['work', 'flush'], 'so many do not');
    loop.onTaken(OPERATIONS_A_TURN - 1);
    t.equal(done.length, 2, 'they are counted anew');
    loop.onTaken(OPERATIONS_A_TURN);
    t.same(done.slice(2), ['work', 'flush'], 'a frame of many is one turn');
  },
);

t.test('LIMIT-24: a turn is never begun within another, nor after the end', async (t) => {
  const { loop, done } = loopOf((loop) => loop.onTaken(OPERATIONS_A_TURN));
  loop.onTaken(OPERATIONS_A_TURN);
  t.same(done, ['work', 'flush']);
  loop.stop();
  loop.onTaken(OPERATIONS_A_TURN);
  t.equal(done.length, 2);
});
