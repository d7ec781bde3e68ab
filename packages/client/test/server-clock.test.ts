import { packStamp, unpackStamp } from '@tidewire/core';
import { test } from 'tap';
import { followedOffset, ServerClock } from '#lib/server-clock.js';

test('CLIENT-60: the offset is approached slowly within the drift and steps beyond it', (t) => {
  const at = { offsetMs: 1000, elapsedMs: 2000, driftMs: 5000 };
  t.equal(followedOffset({ ...at, sampleMs: 1001 }), 1001, 'less than a slow step: taken');
  t.equal(followedOffset({ ...at, sampleMs: 6000 }), 1002, 'somebody is ahead: hardly followed');
  t.equal(followedOffset({ ...at, sampleMs: 400 }), 998, 'a late frame: hardly followed');
  t.equal(followedOffset({ ...at, sampleMs: 6001 }), 6001, 'a clock has jumped');
  t.equal(followedOffset({ ...at, sampleMs: -90_000 }), -90_000);
  t.end();
});

test('CLIENT-61: a server pushed ahead by others does not take our physical time along', (t) => {
  let monotonic = 0.25;
  const clock = new ServerClock({ node: 1, monotonicMs: () => monotonic });
  clock.restart(packStamp(1_000_000, 0), { driftMs: 5000, roundTripMs: 0 });
  t.match(clock.tick(), { ms: 1_000_000, counter: 2, node: 1 });
  monotonic += 10;
  clock.observe(packStamp(1_004_000, 3));
  t.match(clock.tick(), { ms: 1_004_000, counter: 5 }, 'causality holds');
  monotonic += 10_000;
  t.match(clock.tick(), { ms: 1_010_010, counter: 0 }, 'ten seconds on, as if nothing had been');
  t.end();
});

test('CLIENT-62: stamps grow whatever the server’s clock does; the packed form agrees', (t) => {
  let monotonic = 0;
  const clock = new ServerClock({ node: 0xffffff, monotonicMs: () => monotonic });
  clock.restart(packStamp(1_000_000, 0), { driftMs: 5000, roundTripMs: 0 });
  let last = -1n;
  for (const serverMs of [1_000_000, 5_000_000, 20_000, 20_000, 7_000_000, 1]) {
    clock.observe(packStamp(serverMs, 0xffff));
    for (let i = 0; i < 3; i++) {
      const { ms, counter } = clock.tick();
      t.ok(packStamp(ms, counter) > last);
      t.same(unpackStamp(clock.packed), { ms, counter });
      last = clock.packed;
    }
    monotonic += 7;
  }
  t.throws(() => new ServerClock({ node: 0, monotonicMs: () => 0 }), { name: 'InvariantError' });
  t.end();
});

test('CLIENT-63: a clock that the server would refuse begins anew with Welcome, no other', (t) => {
  const clock = new ServerClock({ node: 1, monotonicMs: () => 0 });
  clock.restart(packStamp(1_000_000, 0), { driftMs: 5000, roundTripMs: 0 });
  clock.restart(packStamp(995_000, 0), { driftMs: 5000, roundTripMs: 0 });
  t.match(clock.tick(), { ms: 1_000_000 }, 'within the drift');
  clock.restart(packStamp(994_900, 0), { driftMs: 5000, roundTripMs: 100 });
  t.match(clock.tick(), { ms: 1_000_000 }, 'the Welcome may have been on its way');
  clock.restart(packStamp(994_899, 7), { driftMs: 5000, roundTripMs: 100 });
  t.match(clock.tick(), { ms: 994_899, counter: 9 }, 'the server itself has fallen back');
  t.end();
});
