import { type Client, connect, type LiveView, type TypedMap } from '@tidewire/client';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { RunningServer } from './running-server.js';
import { SEED, SeededRandom } from './seeded-random.js';

const ROUNDS = 12;
const WRITES_A_ROUND = 150;
const KEYS = 60;
const CITIES = 3000;

interface Item {
  readonly n: number;
}

const server = await RunningServer.start(t);

/** A client that follows the server to its next address, and whose connections can be cut. */
class CutClient {
  readonly client: Client;
  readonly #sockets: WebSocket[];

  private constructor(client: Client, sockets: WebSocket[]) {
    this.client = client;
    this.#sockets = sockets;
  }

  static async connect(t: Test): Promise<CutClient> {
    const sockets: WebSocket[] = [];
    const Following = class extends WebSocket {
      constructor() {
        super(server.url);
        sockets.push(this);
      }
    };
    const client = await connect(server.url, { WebSocket: Following });
    t.teardown(() => client.close());
    return new CutClient(client, sockets);
  }

  cut(): void {
    this.#sockets.at(-1)?.terminate();
  }
}

/** A view made of events: what a user of `subscribe` or `query` would hold. */
class Told {
  readonly values = new Map<string, unknown>();
  readonly faults: string[] = [];
  onNews: () => void = () => {};

  readonly onEvent = ({
    kind,
    key,
    value,
  }: {
    kind: string;
    key: string;
    value: unknown;
  }): void => {
    const isKnown = this.values.has(key);
    if (kind !== 'put' && isKnown !== (kind !== 'enter')) this.faults.push(`${kind} ${key}`);
    if (value === undefined) this.values.delete(key);
    else this.values.set(key, value);
    this.onNews();
  };
}

/** Resolves once the two are the same; until then the test waits for news. */
async function agree(
  told: { values: () => Map<string, unknown>; wait: () => Promise<void> },
  expected: Map<string, unknown>,
): Promise<void> {
  const wanted = sorted(expected);
  while (sorted(told.values()) !== wanted) await told.wait();
}

function sorted(values: ReadonlyMap<string, unknown>): string {
  return JSON.stringify([...values].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function fetched(map: TypedMap<Item>, isWanted: (item: Item) => boolean = () => true) {
  const entries = await map.fetch();
  return new Map(
    entries.map(({ key, value }) => [key, value] as const).filter(([, item]) => isWanted(item)),
  );
}

function ofView(view: LiveView<Item>) {
  return {
    values: () => new Map([...view].map(([key, { value }]) => [key, value])),
    wait: () => new Promise<void>((resolve) => view.onChange(() => resolve())),
  };
}

function ofTold(told: Told) {
  return {
    values: () => told.values,
    wait: () =>
      new Promise<void>((resolve) => {
        told.onNews = resolve;
      }),
  };
}

async function writeSome(map: TypedMap<Item>, random: SeededRandom): Promise<void> {
  const writes = Array.from({ length: WRITES_A_ROUND }, () => {
    const key = `k${random.below(KEYS)}`;
    return random.below(4) === 0 ? map.remove(key) : map.put(key, { n: random.below(10) });
  });
  await Promise.all(writes);
}

const isEven = ({ n }: Item): boolean => n % 2 === 0;

/** Views of every kind, whose connection is cut, or the server killed, while others write. */
async function followed(t: Test, name: string, disturb: (cut: () => void) => Promise<void>) {
  const random = new SeededRandom(SEED);
  const writer = (await CutClient.connect(t)).client.map<Item>(name);
  const reader = await CutClient.connect(t);
  const map = reader.client.map<Item>(name);
  await writeSome(writer, random);
  const queried = new Told();
  const all = new Told();
  const views = await Promise.all([map.live(), map.live({ key: 'k7' })]);
  await map.query((item) => item.n.in([0, 2, 4, 6, 8]), queried.onEvent);
  await map.subscribe(all.onEvent, { from: 'snapshot', maxHz: 50 });
  for (let round = 0; round < ROUNDS; round++) {
    const writing = writeSome(writer, random);
    if (random.below(2) === 0) await writing;
    await disturb(() => reader.cut());
    await writing;
  }
  const expected = await fetched(writer);
  await agree(ofView(views[0]), expected);
  await agree(ofView(views[1]), new Map([...expected].filter(([key]) => key === 'k7')));
  await agree(ofTold(queried), await fetched(writer, isEven));
  await agree(ofTold(all), expected);
  t.same([queried.faults, all.faults], [[], []]);
  t.ok(expected.size > 0, `${expected.size} records from seed ${SEED}`);
}

t.test(
  'CLIENT-140: views of every kind agree with the server after connections are cut',
  async (t) => {
    await followed(t, 'cut', async (cut) => cut());
  },
);

t.test('CLIENT-141: they agree after the server was killed and started again', async (t) => {
  let round = 0;
  await followed(t, 'killed', async (cut) => {
    if (++round % 6 === 3) await server.restart();
    else cut();
  });
});

t.test(
  'CLIENT-166: fast writes that a killed server had not saved are sent to the next one',
  async (t) => {
    const map = (await CutClient.connect(t)).client.map<Item>('logged');
    const sql = await server.sql();
    await map.put('kept', { n: 0 }, { safe: true });
    const saved = async (isolated: typeof sql) =>
      isolated`select key from tidewire.record where map = 'logged'`;
    const written = Array.from({ length: 300 }, (_, n) => `k${n}`);
    const locking = sql.begin(async (isolated) => {
      await isolated`lock table tidewire.record in exclusive mode`;
      await Promise.all(written.map((key, n) => map.put(key, { n })));
      t.equal((await saved(isolated as never)).length, 1, 'the database has none of them');
      server.signal('SIGKILL');
      await server.end;
    });
    await locking;
    await server.restart();
    const reader = (await CutClient.connect(t)).client.map<Item>('logged');
    const told = new Told();
    await reader.subscribe(told.onEvent, { from: 'snapshot' });
    const expected = new Map<string, unknown>(written.map((key, n) => [key, { n }]));
    await agree(ofTold(told), expected.set('kept', { n: 0 }));
    await map.put('last', { n: 1 }, { safe: true });
  },
);

t.test('CLIENT-142: fetch, list and count give what the records say', async (t) => {
  const { client } = await CutClient.connect(t);
  const map = client.map<{ name: string; size: number; place: { country: string } }>('cities');
  const random = new SeededRandom(SEED);
  const cities = Array.from({ length: CITIES }, (_, i) => ({
    name: `city ${i}`,
    size: random.below(1_000_000),
    place: { country: random.pick(['DE', 'FR', 'PL']) },
  }));
  await Promise.all(cities.map((city, i) => map.put(`c${i}`, city)));
  const polish = cities.filter(({ place }) => place.country === 'PL');
  t.equal(await map.count(), CITIES);
  t.equal(await map.count({ where: (city) => city.place.country.eq('PL') }), polish.length);
  const names = new Set<string>();
  for await (const { value } of map.list({ where: (city) => city.place.country.eq('PL') }))
    names.add(value.name);
  t.same([...names].sort(), polish.map(({ name }) => name).sort());
  const largest = await map.fetch({ orderBy: 'size', descending: true, limit: 20 });
  const sizes = cities.map(({ size }) => size).sort((a, b) => b - a);
  t.same(
    largest.map(({ value }) => value.size),
    sizes.slice(0, 20),
  );
  const byKey = await map.fetch({ limit: 3 });
  t.same(
    byKey.map(({ key }) => key),
    ['c0', 'c1', 'c10'],
  );
  for await (const _ of map.list()) break;
  t.equal(await map.count(), CITIES, 'a list that was left disturbs nothing');
});
