import { test } from 'tap';
import { type Client, connect } from '#lib/client.js';
import { FakeEnvironment, settled } from './fake-environment.js';
import { SEED, SeededRandom } from './seeded-random.js';
import { isEven, KEYS, ServerModel } from './server-model.js';

const RUNS = 300;
const STEPS = 250;

/** A predicate that the model takes for "even", whatever it says. */
const EVEN = { kind: 'exists', field: { kind: 'value', steps: [] } } as const;

/** What one subscription has made its user believe, and what was wrong on the way. */
class View {
  readonly name: string;
  readonly values = new Map<string, number>();
  readonly faults: string[] = [];
  gaps = 0;
  /** It hears of changes from the next readiness on, and of nothing before. */
  #isBlank: boolean;
  readonly #onBlank: () => void;

  constructor(name: string, onBlank: () => void) {
    this.name = name;
    this.#isBlank = name === 'now';
    this.#onBlank = onBlank;
  }

  readonly options = {
    onGap: (reason: string): void => {
      if (/no longer knows/.test(reason)) this.gaps++;
      else if (/lost before/.test(reason)) this.#isBlank = true;
    },
    onReady: (): void => {
      if (!this.#isBlank) return;
      this.#isBlank = false;
      this.values.clear();
      this.#onBlank();
    },
  };

  readonly onEvent = ({
    kind,
    key,
    value,
  }: {
    kind: string;
    key: string;
    value: unknown;
  }): void => {
    const known = this.values.has(key);
    const isFit = this.name.endsWith('now') || FIT[kind]?.(known);
    if (isFit === false)
      this.faults.push(`${kind} of ${key}, which was ${known ? '' : 'not '}known`);
    if (typeof value === 'number') this.values.set(key, value);
    else this.values.delete(key);
  };
}

const FIT: Readonly<Record<string, (known: boolean) => boolean>> = {
  enter: (known) => !known,
  update: (known) => known,
  leave: (known) => known,
  remove: (known) => known,
};

/** A client with every kind of subscription against a server that does all that servers may do. */
class Run {
  readonly #random: SeededRandom;
  readonly #environment = new FakeEnvironment();
  readonly #server = new ServerModel();
  readonly views = new Map<string, View>();
  #client: Client | undefined;
  /** Writes before it are not for the view that hears changes only. */
  #blankAt = 0;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  async play(): Promise<string[]> {
    const opening = connect('ws://model', {
      environment: this.#environment,
      operationTimeoutMs: 1e9,
    });
    this.#server.accept(this.#environment.socket, this.#salt());
    this.#client = await opening;
    for (let i = 0; i < STEPS; i++) this.#step();
    this.#finish();
    await settled(); // calls that were confirmed resolve
    return this.#verdict();
  }

  #step(): void {
    const { session } = this.#server;
    const chance = this.#random.below(100);
    if (chance < 40) this.#write();
    else if (chance < 65) session?.advance((from) => this.#random.pick(from), 1 + this.#below(3));
    else if (chance < 75) session?.takeFrames(1 + this.#below(2));
    else if (chance < 80) session?.beat();
    else if (chance < 84) session?.progress();
    else if (chance < 88) this.#flush();
    else if (chance < 91) this.#subscribe();
    else if (chance < 93) session?.lag();
    else if (chance < 96) session?.drain();
    else if (chance < 97) session?.restartStreams();
    else this.#interrupt();
  }

  #below(limit: number): number {
    return this.#random.below(limit);
  }

  #write(): void {
    const n = this.#below(4) === 0 ? undefined : this.#below(10);
    this.#server.write(this.#random.pick(KEYS), n);
  }

  #flush(): void {
    this.#server.flush(this.#random.pick(this.#server.partitions), this.#below(3) === 0);
  }

  /** Each kind once, at some moment of the run. */
  #subscribe(): void {
    const map = (this.#client as Client).map<number>('m');
    const maxHz = this.#below(2);
    const options = (view: View) => ({ ...view.options, ...(maxHz > 0 ? { maxHz } : {}) });
    const openers: Readonly<Record<string, (view: View) => Promise<unknown>>> = {
      map: (view) => map.subscribe(view.onEvent, { ...options(view), from: 'snapshot' }),
      query: (view) => map.query(EVEN, view.onEvent, options(view)),
      key: (view) => map.subscribe(view.onEvent, { ...options(view), key: 'k5', from: 'snapshot' }),
      now: (view) => map.subscribe(view.onEvent, options(view)),
    };
    const missing = Object.keys(openers).filter((name) => !this.views.has(name));
    if (missing.length === 0) return;
    const name = this.#random.pick(missing);
    const view = new View(name, () => {
      this.#blankAt = this.#server.writes;
    });
    this.views.set(name, view);
    openers[name](view).catch((error: Error) => view.faults.push(String(error)));
  }

  #interrupt(): void {
    this.#server.session = undefined;
    this.#environment.socket.drop();
    for (let i = this.#below(6); i > 0; i--) this.#write();
    if (this.#below(2) === 0) this.#server.restart();
    else if (this.#below(8) === 0) this.#replace();
    for (let i = this.#below(6); i > 0; i--) this.#write();
    this.#environment.pass(10_000);
    this.#server.accept(this.#environment.socket, this.#salt());
  }

  #replace(): void {
    this.#server.replace();
    this.#blankAt = 0; // told anew
  }

  #salt(): Uint8Array {
    return this.#random.bytes(16);
  }

  #finish(): void {
    const { session } = this.#server;
    session?.takeFrames(Number.POSITIVE_INFINITY);
    session?.drain();
    while (session?.advance((from) => from[0], 3));
    session?.progress();
  }

  #verdict(): string[] {
    const problems: string[] = [];
    for (const view of this.views.values()) {
      const expected = this.#expected(view.name);
      for (const key of KEYS)
        if (expected.has(key) && expected.get(key) !== view.values.get(key))
          problems.push(
            `${view.name}: ${key} is ${view.values.get(key)}, not ${expected.get(key)}`,
          );
      problems.push(...view.faults.map((fault) => `${view.name}: ${fault}`));
    }
    for (const [id, gaps] of this.#server.gaps) {
      const view = [...this.views.values()][id - 1];
      if (view.gaps !== gaps) problems.push(`${view.name}: ${view.gaps} gaps told, not ${gaps}`);
    }
    return problems;
  }

  /** What a view must hold of each key that it can know; undefined: nothing. */
  #expected(name: string): Map<string, number | undefined> {
    const records = this.#server.records(name === 'query' ? isEven : () => true);
    const told = this.views.get('now')?.values.keys() ?? [];
    const now = [...told, ...this.#server.writtenSince(this.#blankAt)];
    const known = { key: ['k5'], now }[name] ?? KEYS;
    return new Map(known.map((key) => [key, records.get(key)]));
  }
}

test('CLIENT-119: whatever happens between, every view ends as the server’s', async (t) => {
  let gaps = 0;
  for (let run = 0; run < RUNS; run++) {
    const seed = SEED + run;
    const each = new Run(seed);
    const problems = await each.play();
    for (const view of each.views.values()) gaps += view.gaps;
    if (problems.length > 0) t.same(problems, [], `SEED=${seed}`);
  }
  t.ok(gaps > RUNS, `${gaps} gaps were told in ${RUNS} runs from seed ${SEED}`);
});
