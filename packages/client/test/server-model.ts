import { EventKind, type Hello, type Subscribe } from '@tidewire/schemas';
import type { FakeSocket } from './fake-socket.js';
import { ModelSession } from './session-model.js';

export const PARTITIONS = 3;
export const KEYS: readonly string[] = Array.from({ length: 14 }, (_, i) => `k${i}`);

export function partitionOf(key: string): number {
  return KEYS.indexOf(key) % PARTITIONS;
}

/** What a key came to at a sequence; no `n`: it was removed. */
export interface State {
  readonly key: string;
  readonly n: number | undefined;
  readonly sequence: number;
  /** Different for every write. */
  readonly stamp: bigint;
}

interface PartitionModel {
  /** Of each key its latest; tombstones until they are collected. */
  readonly states: Map<string, State>;
  /** Everything that ever became a state and was not lost. */
  history: State[];
  sequence: number;
  /** Up to here the database has it. */
  durable: number;
  /** Highest sequence of a collected tombstone. */
  gc: number;
}

/** From where a partition is caught up; `all`: by a SNAPSHOT. */
export type Plan = (partition: number) => number | 'all';

/** A server of one map, stepped by hand, that follows docs/subscriptions.md in the plainest way. */
export class ServerModel {
  store = 1n;
  epoch = 1n;
  partitions: PartitionModel[] = newPartitions();
  session: ModelSession | undefined;
  /** How often each subscription that resumed got a SNAPSHOT instead. */
  readonly gaps = new Map<number, number>();
  readonly #bases = new Map<bigint, readonly number[]>();
  /** How many there were, in all stores; the last one's stamp. */
  writes = 0;

  get sequences(): number[] {
    return this.partitions.map(({ sequence }) => sequence);
  }

  /** Keys whose record was written after that many writes. */
  writtenSince(writes: number): string[] {
    const states = this.partitions.flatMap((partition) => [...partition.states.values()]);
    return states.filter(({ stamp }) => stamp > writes).map(({ key }) => key);
  }

  /** The records of which `n` passes. */
  records(passes: (n: number) => boolean): Map<string, number> {
    const standing = this.partitions.flatMap(({ states }) => [...states.values()]);
    return new Map(
      standing.flatMap(({ key, n }): [string, number][] =>
        n !== undefined && passes(n) ? [[key, n]] : [],
      ),
    );
  }

  write(key: string, n: number | undefined): void {
    const partition = this.partitions[partitionOf(key)];
    const before = partition.states.get(key)?.n;
    if (n === undefined && before === undefined) return;
    const state: State = {
      key,
      n,
      sequence: ++partition.sequence,
      stamp: BigInt(++this.writes),
    };
    partition.states.set(key, state);
    partition.history.push(state);
    this.session?.onChange(state, before);
  }

  /** The database gets everything of one partition; its tombstones may go then. */
  flush(partition: PartitionModel, collect: boolean): void {
    partition.durable = partition.sequence;
    if (!collect) return;
    for (const { key, n, sequence } of [...partition.states.values()])
      if (n === undefined) {
        partition.states.delete(key);
        partition.gc = Math.max(partition.gc, sequence);
      }
  }

  /** Killed and started again: what the database did not have is lost, and its numbers come again. */
  restart(): void {
    this.#bases.set(
      this.epoch,
      this.partitions.map(({ durable }) => durable),
    );
    this.epoch++;
    for (const partition of this.partitions) {
      partition.sequence = partition.durable;
      partition.history = partition.history.filter(({ sequence }) => sequence <= partition.durable);
      partition.states.clear();
      for (const state of partition.history) partition.states.set(state.key, state);
      for (const { key, n, sequence } of [...partition.states.values()])
        if (n === undefined && sequence <= partition.gc) partition.states.delete(key);
    }
  }

  /** Another database behind the same address. */
  replace(): void {
    this.store++;
    this.epoch = 1n;
    this.#bases.clear();
    this.partitions = newPartitions();
  }

  accept(socket: FakeSocket, salt: Uint8Array): void {
    this.session = new ModelSession(this, socket, salt);
  }

  /** The plan of a client that comes with this Hello; undefined if its cursor is refused. */
  resumptionOf({ cursor }: Hello): Plan | undefined {
    if (cursor === undefined || cursor.store !== this.store || cursor.epoch > this.epoch)
      return undefined;
    const delivered = vectorOf(cursor.delivered);
    const seen = vectorOf([...cursor.delivered, ...cursor.seen]);
    const bases = cursor.epoch === this.epoch ? undefined : this.#bases.get(cursor.epoch);
    return (partition) =>
      bases !== undefined && seen[partition] > bases[partition] ? 'all' : delivered[partition];
  }

  /** Up to here a sequence means what it meant in that epoch. */
  baseOf(epoch: bigint, partition: number): number {
    if (epoch === this.epoch) return Number.POSITIVE_INFINITY;
    return this.#bases.get(epoch)?.[partition] ?? -1;
  }
}

/** A model of a change as a topic sees it; undefined: it does not concern it. */
export function kindOf(
  { key, where }: Subscribe,
  state: State,
  before: number | undefined,
): EventKind | undefined {
  if (key !== '' && key !== state.key) return undefined;
  if (where === undefined) return state.n === undefined ? EventKind.REMOVE : EventKind.PUT;
  const was = before !== undefined && isEven(before);
  const is = state.n !== undefined && isEven(state.n);
  if (is) return was ? EventKind.UPDATE : EventKind.ENTER;
  return was ? EventKind.LEAVE : undefined;
}

/** The one predicate of these tests, whatever Subscribe says. */
export function isEven(n: number): boolean {
  return n % 2 === 0;
}

function newPartitions(): PartitionModel[] {
  return Array.from({ length: PARTITIONS }, () => ({
    states: new Map(),
    history: [],
    sequence: 0,
    durable: 0,
    gc: 0,
  }));
}

function vectorOf(list: readonly { partition: number; sequence: bigint }[]): number[] {
  const vector = Array.from({ length: PARTITIONS }, () => 0);
  for (const { partition, sequence } of list)
    vector[partition] = Math.max(vector[partition], Number(sequence));
  return vector;
}
