import type { EntryEvent, PartitionPool } from '@tidewire/partition-worker';
import type { Value } from './kill-run.js';

/** Of a key subscription or a query: what it has heard, to be held against the map's changes. */
interface Hearing {
  readonly heard: string[];
  readonly expected: string[];
}

const FOUND_MAX = 20;

/** What was answered and told while workers died, and whether it can be. */
export class KillLedger {
  readonly found: string[] = [];
  events = 0;
  /** What the last answered write of a key has left. */
  readonly #standing: Map<string, Value | undefined> = new Map();
  /** Counted by answers. */
  #counted = 0;
  #moved = 0;
  /** Sequences heard of, by partition: all of them, once, in order. */
  readonly #sequences: Map<number, number> = new Map();
  readonly #keys: Map<string, Hearing[]> = new Map();
  readonly #ranges: { from: number; to: number; hearing: Hearing }[] = [];
  /** Values by key as the map's changes tell them. */
  readonly #told: Map<string, Value> = new Map();

  stands(key: string, value: Value | undefined): void {
    this.#standing.set(key, value);
  }

  count(): void {
    this.#counted++;
  }

  move(): void {
    this.#moved++;
  }

  ofKey(key: string): (event: EntryEvent) => void {
    const hearing: Hearing = { heard: [], expected: [] };
    this.#keys.set(key, [...(this.#keys.get(key) ?? []), hearing]);
    return (event) => hearing.heard.push(lineOf(event));
  }

  ofRange(from: number, to: number): (event: EntryEvent) => void {
    const hearing: Hearing = { heard: [], expected: [] };
    this.#ranges.push({ from, to, hearing });
    return (event) => hearing.heard.push(lineOf(event));
  }

  /** A change of either map. */
  onChange(event: EntryEvent): void {
    this.events++;
    const { partition, sequence, map, key } = event;
    const before = this.#sequences.get(partition) ?? 0;
    if (sequence !== before + 1) this.#complain(`partition ${partition}: ${before}, ${sequence}`);
    this.#sequences.set(partition, sequence);
    if (map !== 'values') return;
    const value = event.value as Value | undefined;
    if (value !== undefined && !isWhole(value)) this.#complain(`torn ${key} ${value.n}`);
    for (const { expected } of this.#keys.get(key) ?? []) expected.push(lineOf(event));
    const old = this.#told.get(key);
    for (const { from, to, hearing } of this.#ranges) {
      const was = isIn(old, from, to);
      const is = isIn(value, from, to);
      if (was || is) hearing.expected.push(lineOf({ ...event, kind: kindOf(was, is) }));
    }
    if (value === undefined) this.#told.delete(key);
    else this.#told.set(key, value);
  }

  /** Holds what stands against what was answered. */
  async compare(pool: PartitionPool, map: string, counters: string): Promise<void> {
    for (const [key, value] of this.#standing) {
      const record = await pool.get<Value>(map, key);
      if (JSON.stringify(record?.value) !== JSON.stringify(value))
        this.#complain(`${key}: ${record?.value.n} stands, not ${value?.n}`);
    }
    const keys = Array.from({ length: 16 }, (_, i) => `c${i}`);
    const sums = [...(await pool.getAll<number>(counters, keys)).values()];
    const sum = sums.reduce((total, { value }) => total + value, 0);
    if (sum !== this.#counted) this.#complain(`counted ${sum}, answered ${this.#counted}`);
    const hearings = [...[...this.#keys.values()].flat(), ...this.#ranges.map((r) => r.hearing)];
    for (const { heard, expected } of hearings)
      if (heard.join() !== expected.join())
        this.#complain(`${heard.length} heard of ${expected.length} expected`);
  }

  /** What one record has lost the other has won, and nothing was moved twice. */
  async comparePairs(pool: PartitionPool, left: string, right: string): Promise<void> {
    let moved = 0;
    for (let i = 0; i < 16; i++) {
      const lost = (await pool.get<number>(left, `p${i}`))?.value ?? 0;
      const won = (await pool.get<number>(right, `p${i}`))?.value ?? 0;
      if (lost + won !== 0) this.#complain(`p${i}: ${lost} lost, ${won} won`);
      moved += won;
    }
    if (moved !== this.#moved) this.#complain(`moved ${moved}, answered ${this.#moved}`);
  }

  /** What memory held at its end, and what the database then held of the same keys: the same. */
  compareStored(held: ReadonlyMap<string, string>, stored: ReadonlyMap<string, string>): void {
    for (const place of new Set([...held.keys(), ...stored.keys()]))
      if (held.get(place) !== stored.get(place))
        this.#complain(`${place}: ${stampOf(stored, place)} stored, ${stampOf(held, place)} held`);
  }

  leaves(changes: number | undefined): void {
    if (changes !== 0) this.#complain(`${changes} changes were not stored`);
  }

  #complain(sentence: string): void {
    if (this.found.length < FOUND_MAX) this.found.push(sentence);
  }
}

/** The stamp ends the record. */
function stampOf(records: ReadonlyMap<string, string>, place: string): string {
  return records.get(place)?.match(/\{[^{]*$/)?.[0] ?? 'nothing';
}

function lineOf({ kind, key, sequence }: Pick<EntryEvent, 'kind' | 'key' | 'sequence'>): string {
  return `${kind} ${key} ${sequence}`;
}

function isWhole({ n, size, text }: Value): boolean {
  return text === String(n % 10).repeat(size);
}

function isIn(value: Value | undefined, from: number, to: number): boolean {
  return value !== undefined && value.size >= from && value.size <= to;
}

function kindOf(was: boolean, is: boolean): EntryEvent['kind'] {
  if (was && is) return 'update';
  return is ? 'enter' : 'leave';
}
