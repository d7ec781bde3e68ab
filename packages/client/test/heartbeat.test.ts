import { test } from 'tap';
import { backoffMs } from '#lib/backoff.js';
import { heartbeatAt } from '#lib/heartbeat.js';

const LIMITS = { intervalMs: 15, timeoutMs: 40 };

test('CLIENT-27: a ping is due when either side was quiet, a silent server is dead', (t) => {
  const seen = { sentAtMs: 100, receivedAtMs: 110, pingedAtMs: 0 };
  t.same(heartbeatAt(110, seen, LIMITS), { kind: 'quiet', waitMs: 5 });
  t.same(heartbeatAt(115, seen, LIMITS), { kind: 'ping', waitMs: 15 });
  t.same(heartbeatAt(120, { ...seen, pingedAtMs: 115 }, LIMITS), { kind: 'quiet', waitMs: 10 });
  t.same(heartbeatAt(148, { ...seen, pingedAtMs: 145 }, LIMITS), { kind: 'quiet', waitMs: 2 });
  t.same(heartbeatAt(150, seen, LIMITS), { kind: 'dead' });
  const talking = { sentAtMs: 139, receivedAtMs: 110, pingedAtMs: 0 };
  t.match(heartbeatAt(140, talking, LIMITS), { kind: 'ping', waitMs: 10 }, 'nothing came back');
  t.end();
});

test('CLIENT-22: pauses double up to a limit, half of each at random', (t) => {
  t.same(
    [0, 1, 4, 5, 1000].map((attempt) => backoffMs(attempt, 0)),
    [50, 100, 800, 1500, 1500],
  );
  t.equal(backoffMs(0, 0.999_999) < 100, true);
  t.equal(backoffMs(1000, 0.5), 2250);
  t.end();
});
