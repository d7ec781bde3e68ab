import fc from 'fast-check';
import t from 'tap';
import {
  COUNTER_MAX,
  HybridLogicalClock,
  packStamp,
  Receipt,
  STAMP_MS_MAX,
  unpackStamp,
} from '#lib/hlc.js';
import { holds } from './property.js';

interface State {
  ms: number;
  counter: number;
}

function clockAt(options: { now: number; driftMs?: number; state?: State }): {
  clock: HybridLogicalClock;
  setNow: (now: number) => void;
} {
  let now = options.now;
  const clock = new HybridLogicalClock({ now: () => now, driftMs: options.driftMs ?? 500 });
  clock.ms = options.state?.ms ?? 0;
  clock.counter = options.state?.counter ?? 0;
  return { clock, setNow: (next) => (now = next) };
}

const stateOf = ({ ms, counter }: State): [number, number] => [ms, counter];

t.test('HLC-1: a run of sends and receives gives the stamps of the table', async (t) => {
  const { clock, setNow } = clockAt({ now: 0 });
  const send = 'send';
  const rows: [number, [number, number] | typeof send, [number, number]][] = [
    [5, send, [5, 0]],
    [6, send, [6, 0]],
    [10, [10, 5], [10, 6]],
    [7, send, [10, 7]],
    [8, [10, 4], [10, 8]],
    [10, [10, 99], [10, 100]],
    [11, [10, 31], [11, 0]],
    [11, send, [11, 1]],
  ];
  for (const [now, event, result] of rows) {
    setNow(now);
    if (event === send) t.equal(clock.tick(), true);
    else t.equal(clock.receive(...event), Receipt.ACCEPTED);
    t.same(stateOf(clock), result);
  }
});

t.test('HLC-2: a stamp beyond the drift is refused and changes nothing', async (t) => {
  const near = clockAt({ now: 1000, state: { ms: 900, counter: 0 } }).clock;
  t.equal(near.receive(1500, 0), Receipt.ACCEPTED);
  t.same(stateOf(near), [1500, 1]);
  const far = clockAt({ now: 1000, state: { ms: 900, counter: 0 } }).clock;
  t.equal(far.receive(1501, 0), Receipt.DRIFT);
  t.same(stateOf(far), [900, 0]);
});

t.test('HLC-3: a full counter carries into the milliseconds', async (t) => {
  const full = { ms: 1, counter: COUNTER_MAX };
  const { clock } = clockAt({ now: 1, state: full });
  t.equal(clock.tick(), true);
  t.same(stateOf(clock), [2, 0]);
  const receiving = clockAt({ now: 1, state: { ms: 1, counter: 4 } }).clock;
  t.equal(receiving.receive(1, COUNTER_MAX), Receipt.ACCEPTED);
  t.same(stateOf(receiving), [2, 0]);
});

t.test('HLC-4: a clock that starts at a bound is above every stamp issued before', async (t) => {
  const clock = new HybridLogicalClock({ now: () => 4000, driftMs: 500, startMs: 5000 });
  t.equal(clock.tick(), true);
  t.ok(packStamp(clock.ms, clock.counter) > packStamp(4999, COUNTER_MAX));
});

t.test('HLC-4: a clock never reaches its bound', async (t) => {
  const { clock } = clockAt({ now: 4998, state: { ms: 4999, counter: COUNTER_MAX - 1 } });
  clock.boundMs = 5000;
  t.equal(clock.tick(), true);
  t.equal(clock.tick(), false);
  t.equal(clock.receive(4999, COUNTER_MAX), Receipt.BOUND);
  t.equal(clock.receive(5200, 0), Receipt.BOUND);
  t.same(stateOf(clock), [4999, COUNTER_MAX]);
});

t.test('HLC-5: a clock that is ahead counts for itself', async (t) => {
  const state = { ms: 5000, counter: 3 };
  const { clock } = clockAt({ now: 1000, state });
  t.equal(clock.receive(5000, 9), Receipt.ACCEPTED);
  t.same(stateOf(clock), [5000, 4]);
  const other = clockAt({ now: 1000, state }).clock;
  t.equal(other.receive(5001, 0), Receipt.DRIFT);
  t.same(stateOf(other), [5000, 3]);
  for (let i = 0; i < 1000; i++) other.receive(5000, COUNTER_MAX);
  t.same(stateOf(other), [5000, 1003]);
});

const nowSteps = fc.oneof(
  fc.integer({ min: -20, max: 20 }),
  fc.constantFrom(-3_600_000, 3_600_000),
);
const events = fc.record({
  step: nowSteps,
  receive: fc.option(
    fc.record({ aheadMs: fc.integer({ min: -2000, max: 2000 }), counter: fc.nat(COUNTER_MAX) }),
  ),
});

t.test('HLC-6: stamps only grow, whatever the wall clock and the senders do', async (t) => {
  holds(
    t,
    fc.property(fc.array(events, { maxLength: 60 }), (run) => {
      let now = 10_000_000;
      const clock = new HybridLogicalClock({ now: () => now, driftMs: 500 });
      for (const { step, receive } of run) {
        now += step;
        const before = packStamp(clock.ms, clock.counter);
        const refused =
          receive !== null
            ? clock.receive(now + receive.aheadMs, receive.counter) === Receipt.DRIFT
            : !clock.tick();
        const after = packStamp(clock.ms, clock.counter);
        if (refused ? after !== before : after <= before) return false;
      }
      return clock.tick(); // an honest client is never locked out
    }),
  );
});

t.test(
  'HLC-7: an accepted stamp is dominated, and one is accepted up to max(now + drift, l)',
  async (t) => {
    holds(
      t,
      fc.property(
        fc.record({ ms: fc.nat(3000), counter: fc.nat(COUNTER_MAX) }),
        fc.record({ ms: fc.nat(3000), counter: fc.nat(COUNTER_MAX) }),
        fc.nat(3000),
        (own, received, now) => {
          const { clock } = clockAt({ now, state: own });
          const receipt = clock.receive(received.ms, received.counter);
          if (receipt === Receipt.DRIFT) return received.ms > Math.max(now + 500, own.ms);
          if (received.ms > Math.max(now + 500, own.ms)) return false;
          const stamp = packStamp(clock.ms, clock.counter);
          const isAhead = own.ms > now + 500; // then the sender's counter does not count
          return (
            stamp > packStamp(own.ms, own.counter) &&
            (isAhead || stamp > packStamp(received.ms, received.counter)) &&
            clock.ms <= Math.max(now + 500, own.ms) + 1
          );
        },
      ),
    );
  },
);

const stamps = fc.record({
  ms: fc.oneof(fc.nat(10), fc.integer({ min: 0, max: STAMP_MS_MAX })),
  counter: fc.nat(COUNTER_MAX),
});

t.test('HLC-8: packing keeps the order under unsigned byte comparison', async (t) => {
  holds(
    t,
    fc.property(stamps, stamps, (a, b) => {
      const order = Math.sign(a.ms - b.ms) || Math.sign(a.counter - b.counter);
      return Buffer.compare(bigEndian(a), bigEndian(b)) === order;
    }),
  );
  holds(
    t,
    fc.property(stamps, (stamp) => {
      const { ms, counter } = unpackStamp(packStamp(stamp.ms, stamp.counter));
      return ms === stamp.ms && counter === stamp.counter;
    }),
  );
});

function bigEndian({ ms, counter }: State): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(packStamp(ms, counter));
  return bytes;
}

t.test('HLC-8: a packed stamp is positive as a signed number', async (t) => {
  t.equal(packStamp(STAMP_MS_MAX, COUNTER_MAX), 2n ** 63n - 1n);
  t.throws(() => packStamp(STAMP_MS_MAX + 1, 0));
});
