import { OperationKind, type ServerFrame, SliceKind, StartFrom } from '@tidewire/schemas';
import t from 'tap';
import { STORE } from './bench.js';
import { ALL_RIGHTS, PolicedBench, ROOT, type SpiedClient } from './policed-bench.js';
import { ReferenceView } from './reference-view.js';
import { SEED, SeededRandom } from './seeded-random.js';

const text = new TextEncoder();
const MAP = 'notes';
const OWN = { maps: ['*'], rights: ALL_RIGHTS, where: `owner = '\${sub}'` };
const RUNS = 5;
const STEPS = 400;
const KEYS = 30;
/** Some writes are so long that a reader who stalls lags. */
const FILLER = 'x'.repeat(30_000);

/** What ann, who may see her own records alone, holds of the map over all her connections. */
class Ann {
  readonly view = new ReferenceView();
  readonly #bench: PolicedBench;
  readonly #delivered = new Map<number, bigint>();
  #client: SpiedClient | undefined;
  #taken = 0;
  #isWhole = false;
  hasHeardOthers = false;
  renewals = 0;

  constructor(bench: PolicedBench) {
    this.#bench = bench;
  }

  async connect(): Promise<void> {
    this.close();
    const delivered = [...this.#delivered].map(([partition, sequence]) => ({
      partition,
      sequence,
    }));
    const canResume = this.#isWhole && delivered.length > 0;
    const cursor = { store: STORE, epoch: 42n, delivered };
    this.#client = await this.#bench.member({ sub: 'ann' }, canResume ? { cursor } : {});
    this.#taken = 0;
    this.#isWhole = false;
    const start = canResume ? StartFrom.RESUME : StartFrom.SNAPSHOT;
    this.#client.say({ case: 'subscribe', value: { subscriptionId: 1, map: MAP, start } });
  }

  stall(isStalled: boolean): void {
    if (this.#client === undefined) return;
    this.#client.isStalled = isStalled;
    if (!isStalled) this.#client.read();
  }

  take(): void {
    const frames = this.#client?.frames ?? [];
    while (this.#taken < frames.length) this.#take(frames[this.#taken++]);
    this.hasHeardOthers ||= this.#client?.hasHeard('"bob"') ?? false;
  }

  close(): void {
    this.stall(false);
    this.take();
    this.#client?.close(1006);
    this.view.onDisconnect();
  }

  #take({ body }: ServerFrame): void {
    if (body.case === 'events') for (const event of body.value.events) this.view.onEvent(event);
    if (body.case === 'catchUp') {
      for (const slice of body.value.slices) {
        this.view.onSlice(slice);
        if (slice.kind === SliceKind.RENEWAL) this.renewals++;
      }
      if (body.value.isDone) this.#isWhole = true;
    }
    if (body.case === 'progress' && this.#isWhole)
      for (const { partition, sequence } of body.value.delivered)
        this.#delivered.set(partition, sequence);
  }
}

/** Writes of somebody who may do everything. */
class Writer {
  readonly owners = new Map<string, string>();
  readonly #bench: PolicedBench;
  readonly #root: SpiedClient;
  readonly #random: SeededRandom;

  constructor(bench: PolicedBench, root: SpiedClient, random: SeededRandom) {
    this.#bench = bench;
    this.#root = root;
    this.#random = random;
  }

  write(): void {
    const random = this.#random;
    const key = `k${random.below(KEYS)}`;
    if (random.chance(25)) {
      this.owners.delete(key);
      this.#bench.done(this.#root, { kind: OperationKind.REMOVE, map: MAP, key });
      return;
    }
    const owner = random.pick(['ann', 'bob']);
    this.owners.set(key, owner);
    const value = text.encode(JSON.stringify({ owner, filler: random.chance(70) ? FILLER : '' }));
    this.#bench.done(this.#root, { kind: OperationKind.PUT, map: MAP, key, value });
  }

  ownedBy(name: string): string[] {
    return [...this.owners].filter(([, owner]) => owner === name).map(([key]) => key);
  }
}

async function disturb(bench: PolicedBench, ann: Ann, random: SeededRandom): Promise<void> {
  const event = random.below(80);
  if (event === 0) await ann.connect();
  else if (event === 1) ann.close();
  else if (event < 6) ann.stall(true);
  else if (event === 6) ann.stall(false);
  else if (event === 7) bench.startWorker(random.below(2));
  else if (event < 14) bench.second();
}

t.test('ACCESS-28: whatever happens, a restricted client holds what it may see', async (t) => {
  let renewals = 0;
  let lags = 0;
  for (let run = 0; run < RUNS; run++) {
    t.comment(`seed ${SEED + run}`);
    const random = new SeededRandom(SEED + run);
    const bench = new PolicedBench([OWN], { workers: 2 });
    const writer = new Writer(bench, await bench.member(ROOT), random);
    const ann = new Ann(bench);
    await ann.connect();
    for (let step = 0; step < STEPS; step++) {
      writer.write();
      await disturb(bench, ann, random);
      ann.take();
    }
    await ann.connect();
    bench.second();
    ann.take();
    t.same([...ann.view.states.keys()].toSorted(), writer.ownedBy('ann').toSorted());
    t.notOk(ann.hasHeardOthers, 'nothing of others was ever sent');
    renewals += ann.renewals;
    lags += bench.gateway.subscriptionCounts.lags;
  }
  t.ok(renewals > 0 && lags > 0, 'it was put to the test');
});
