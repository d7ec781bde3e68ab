import { Code, TOMBSTONE_HORIZON_MS } from '@tidewire/core';
import { OPERATION_CLIENT_STAMP, RecordLayout } from '@tidewire/core/threads';
import { OperationKind } from '@tidewire/schemas';
import t from 'tap';
import { RecordStore, SCAN_END } from '#lib/store/record-store.js';
import { LifeBench } from './life-bench.js';
import { randomFrom } from './store-fixture.js';
import { type Sent, START_MS } from './worker-fixture.js';

const SEED = Number(process.env['SEED'] ?? Date.now() % 100_000);
const ROUNDS = process.env['TIDEWIRE_LONG_TESTS'] === undefined ? 1 : 20;
const KEYS = ['a', 'b', 'c', 'd', 'e'];
const HORIZON = TOMBSTONE_HORIZON_MS;

t.before(() => t.comment(`SEED=${SEED}`));

/** Writes of several clients, each with a stamp of its own: puts, some for a while, and removals. */
function randomWrites(random: (below: number) => number, count: number): Sent[] {
  return Array.from({ length: count }, (_, i) => {
    const ms = 10 * i + random(10);
    const isRemove = random(4) === 0;
    return {
      kind: isRemove ? OperationKind.REMOVE : OperationKind.PUT,
      key: KEYS[random(KEYS.length)],
      value: isRemove ? '' : `${i}`,
      ms,
      node: 1 + random(3),
      flags: OPERATION_CLIENT_STAMP,
      expiresAt: isRemove || random(2) === 0 ? 0 : START_MS + ms + 1 + random(900),
    };
  });
}

/** What stands of a key once all writes have come and the time is `endMs`. */
function expectedOf(writes: readonly Sent[], key: string, endMs: number): string {
  const last = writes.filter((write) => write.key === key).at(-1); // stamps ascend
  if (last === undefined) return '';
  const { kind, ms, node = 0, expiresAt = 0 } = last;
  const isOver = expiresAt !== 0 && expiresAt <= START_MS + endMs;
  return `${kind === OperationKind.REMOVE || isOver ? 'removed' : 'stands'} ${ms}/${node}`;
}

function shuffled<T>(items: readonly T[], random: (below: number) => number): T[] {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

t.test(
  'LIFE-17: writes with lifetimes, removals and late writes come to one state, in any order of delivery',
  (t) => {
    const random = randomFrom(SEED);
    const END = 2000;
    for (let round = 0; round < 8 * ROUNDS; round++) {
      const writes = randomWrites(random, 80);
      const expected = KEYS.map((key) => expectedOf(writes, key, END));
      for (let delivery = 0; delivery < 4; delivery++) {
        const bench = new LifeBench();
        let nowMs = random(1500);
        for (const write of shuffled([...writes, ...writes.slice(0, 20)], random)) {
          bench.send(write);
          if (random(8) > 0) continue;
          nowMs += random(100);
          bench.tick(nowMs);
          if (random(5) === 0) bench.restart();
        }
        bench.tick(Math.max(nowMs, END));
        const end = KEYS.map((key) => bench.stateOf(key).replace(/ #.*/, ''));
        const now = KEYS.map((key) => expectedOf(writes, key, Math.max(nowMs, END)));
        if (end.join() !== now.join()) t.same(end, now, `round ${round}, delivery ${delivery}`);
      }
      t.ok(expected.length > 0);
    }
    t.end();
  },
);

/** What the database has: records, and what was collected. */
class Table {
  readonly store: RecordStore = new RecordStore(new SharedArrayBuffer(8 * 1024 * 1024));

  /** Takes in what stands in memory; sequences go with it. */
  flush(from: RecordStore): void {
    for (let partition = 0; partition < 271; partition++) {
      for (let at = 0; at < SCAN_END; )
        at = from.scanSlice(partition, at, (record) => this.store.restore(from.words, record));
      this.store.startPartition(partition, from.sequence(partition));
    }
  }

  /** Deletes the rows that the marks cover. */
  collect(bench: LifeBench): void {
    for (const mark of bench.proposal()) {
      this.store.raiseCollected(mark);
      const gone: number[] = [];
      const { words } = this.store;
      for (let at = 0; at < SCAN_END; )
        at = this.store.scanSlice(mark.partition, at, (record) => {
          const isCovered =
            RecordLayout.isTombstone(words, record) &&
            RecordLayout.sequenceOf(words, record) <= mark.sequence &&
            RecordLayout.stampMsOf(words, record) <= mark.ms; // stamps of a key differ by more
          if (isCovered) gone.push(record);
        });
      for (const record of gone) this.store.remove(this.store.findAgain(record));
    }
    bench.commit();
  }
}

/** The stamps of the newest removal of each key: accepted, and in the table. */
class Removals {
  readonly accepted: Map<string, number> = new Map();
  durable: ReadonlyMap<string, number> = new Map();

  accept(key: string, ms: number): void {
    this.accepted.set(key, Math.max(ms, this.accepted.get(key) ?? 0));
  }

  flush(): void {
    this.durable = new Map(this.accepted);
  }

  /** What was not in the table is lost. */
  restart(): void {
    this.accepted.clear();
    for (const [key, ms] of this.durable) this.accepted.set(key, ms);
  }
}

t.test(
  'LIFE-18: nothing comes back from the dead, through collections, deaths and restarts',
  (t) => {
    const random = randomFrom(SEED + 1);
    let tooOld = 0;
    let collected = 0;
    let bench = new LifeBench();
    const table = new Table();
    const removals = new Removals();
    let nowMs = 8 * HORIZON;
    for (let step = 0; step < 3000 * ROUNDS; step++) {
      const choice = random(20);
      const key = `key ${random(60)}`;
      const ms = nowMs - (random(2) === 0 ? random(8 * HORIZON) : 0);
      if (choice < 7) bench.put(key, ms, { flags: OPERATION_CLIENT_STAMP });
      else if (choice < 11) {
        bench.remove(key, ms, { flags: OPERATION_CLIENT_STAMP });
        if (bench.code === Code.APPLIED) removals.accept(key, ms);
      } else if (choice < 13) {
        bench.flush();
        table.flush(bench.store);
        removals.flush();
      } else if (choice < 15) {
        collected += bench.proposal().length;
        table.collect(bench);
        bench.work();
      } else if (choice === 15 && random(8) === 0) bench.restart();
      else if (choice === 16 && random(8) === 0) {
        bench = new LifeBench();
        bench.recover(table.store);
        removals.restart();
      } else nowMs += 1 + random(HORIZON / 3);
      if (choice >= 16) bench.pass(nowMs);
      if (choice < 11 && bench.code === Code.TOO_OLD) tooOld++;
      for (const [removed, removedMs] of removals.accepted) {
        const [what, stamp] = bench.stateOf(removed).split(/[ /]/);
        if (what === 'stands' && Number(stamp) <= removedMs)
          throw new Error(`step ${step}: ${removed} of ${stamp} came back over ${removedMs}`);
      }
      bench.gateway.heard.splice(0, bench.gateway.heard.length - 1);
      bench.heard();
    }
    t.ok(tooOld > 10, `${tooOld} writes were too old`);
    t.ok(collected > 10, `${collected} marks were collected`);
    t.end();
  },
);
