import { Code, Level, type Result } from '@tidewire/schemas';
import { textOf } from './operations.js';

const NODE_BITS = 24n;
const VIOLATIONS_MAX = 20;

/** One write of the load. */
export interface Write {
  readonly key: string;
  /** Counts the writes of a run; a value names its own. */
  readonly serial: number;
  readonly isRemoval: boolean;
  readonly isSafe: boolean;
  /** Stamp and node as one number; undefined until the server has stamped it. */
  order: bigint | undefined;
  /** What the server promised of it. */
  level: 'SENT' | 'MEMORY' | 'DATABASE';
  /** When it was acknowledged, by `performance.now`. */
  ackedMs: number;
}

/** What memory or the table has of a key. */
export interface State {
  readonly order: bigint;
  /** Undefined: removed. */
  readonly value: string | undefined;
}

interface History {
  /** All that can still be met, the surviving one included. */
  writes: Map<number, Write>;
  /** The table has this or newer, whatever happens. */
  durable: bigint;
  /** Memory has this or newer as long as the process lives. */
  visible: bigint;
}

export interface Counts {
  fast: number;
  safe: number;
  notYetDurable: number;
  reads: number;
  refused: number;
  /** FAST writes acknowledged by a process that died with them. */
  lost: number;
  /** Of these the one acknowledged longest before its process died: how long. */
  lostMs: number;
}

/**
 * What clients were told, key by key, and whether it holds. Every promise that does not is a
 * sentence in `violations`.
 */
export class Ledger {
  readonly violations: string[] = [];
  readonly counts: Counts = {
    fast: 0,
    safe: 0,
    notYetDurable: 0,
    reads: 0,
    refused: 0,
    lost: 0,
    lostMs: 0,
  };
  readonly #histories: Map<string, History> = new Map();

  get keys(): string[] {
    return [...this.#histories.keys()];
  }

  /** Before the write goes out. */
  send(write: Write): void {
    const history = this.#historyOf(write.key);
    history.writes.set(write.serial, write);
  }

  onAnswer(write: Write, result: Result): void {
    if (!isWriteOutcome(result.outcome)) {
      this.#onRefusal(write, result);
      return;
    }
    const history = this.#historyOf(write.key);
    write.ackedMs = performance.now();
    const standing = orderOf(result.stamp, result.node);
    if (result.outcome === Code.APPLIED) write.order ??= standing;
    history.visible = max(history.visible, standing);
    if (result.refusal === Code.NOT_YET_DURABLE) this.counts.notYetDurable++;
    else if (write.isSafe) this.counts.safe++;
    else this.counts.fast++;
    if (result.level === Level.DATABASE) {
      write.level = 'DATABASE';
      history.durable = max(history.durable, standing);
    } else if (write.level === 'SENT') write.level = 'MEMORY';
    if (write.isSafe && result.refusal === 0 && result.level !== Level.DATABASE)
      this.#violate(write.key, 'a SAFE write was answered without DATABASE');
  }

  /** The order that a read sent now must reach. */
  visibleOf(key: string): bigint {
    return this.#historyOf(key).visible;
  }

  onRead(key: string, atLeast: bigint, result: Result): void {
    if (result.refusal !== 0) {
      this.counts.refused++;
      return;
    }
    this.counts.reads++;
    const state = stateOfRead(result);
    if (state.order < atLeast) this.#violate(key, 'a read was older than an acknowledged write');
    else if (state.order !== 0n) this.#requireSent(key, state, 'a read');
  }

  /** The process has died, and its heir has read the table: what is there is all there is. */
  onCrash(
    diedMs: number,
    memory: ReadonlyMap<string, State>,
    table: ReadonlyMap<string, State>,
  ): void {
    this.#compare(memory, table);
    for (const [key, history] of this.#histories) {
      const state = table.get(key) ?? NOTHING;
      for (const write of history.writes.values())
        if (write.level === 'MEMORY' && (write.order ?? 0n) > state.order)
          this.#lose(diedMs - write.ackedMs);
      this.#settle(key, history, state);
    }
  }

  /**
   * Nothing is dirty and every write is answered: the table has what memory has, and nothing
   * acknowledged is missing. False, and no violation, if that does not hold yet.
   */
  onClean(memory: ReadonlyMap<string, State>, table: ReadonlyMap<string, State>): boolean {
    for (const [key, { visible }] of this.#histories) {
      const state = table.get(key) ?? NOTHING;
      if (!isSame(state, memory.get(key) ?? NOTHING) || state.order < visible) return false;
    }
    for (const [key, history] of this.#histories)
      this.#settle(key, history, table.get(key) ?? NOTHING);
    return true;
  }

  /** What does not hold, in words; for a state that `onClean` never took. */
  accuse(memory: ReadonlyMap<string, State>, table: ReadonlyMap<string, State>): void {
    this.#compare(memory, table);
    for (const [key, { visible }] of this.#histories)
      if ((table.get(key) ?? NOTHING).order < visible)
        this.#violate(key, 'nothing is dirty, and the table lacks an acknowledged write');
  }

  violate(sentence: string): void {
    if (this.violations.length < VIOLATIONS_MAX) this.violations.push(sentence);
  }

  #lose(ageMs: number): void {
    this.counts.lost++;
    this.counts.lostMs = Math.max(this.counts.lostMs, Math.round(ageMs));
  }

  #onRefusal(write: Write, result: Result): void {
    this.counts.refused++;
    if (result.refusal === 0) this.#violate(write.key, `a write was answered ${result.outcome}`);
    // Nothing has happened, so that it may not be met; unless an earlier copy of it was taken.
    if (write.level === 'SENT') this.#historyOf(write.key).writes.delete(write.serial);
  }

  #compare(memory: ReadonlyMap<string, State>, table: ReadonlyMap<string, State>): void {
    for (const key of new Set([...memory.keys(), ...table.keys(), ...this.keys]))
      if (!isSame(memory.get(key) ?? NOTHING, table.get(key) ?? NOTHING))
        this.#violate(key, 'memory and table differ');
  }

  /** From here on `state` is the one known write of the key. */
  #settle(key: string, history: History, state: State): void {
    if (state.order < history.durable)
      this.#violate(key, 'the table has not, or no more, a write that was durable');
    const survivor = state.order === 0n ? undefined : this.#requireSent(key, state, 'the table');
    history.writes = new Map(survivor === undefined ? [] : [[survivor.serial, survivor]]);
    if (survivor !== undefined) survivor.level = 'DATABASE';
    history.durable = state.order;
    history.visible = state.order;
  }

  /** The write that led to this state. */
  #requireSent(key: string, state: State, where: string): Write | undefined {
    const write = this.#find(key, state);
    const isTrue =
      write !== undefined &&
      (write.order === undefined || write.order === state.order) &&
      state.value === valueTextOf(write);
    if (!isTrue) this.#violate(key, `${where} has ${state.value ?? 'a removal'}, never sent`);
    if (isTrue) write.order = state.order;
    return write;
  }

  #find(key: string, state: State): Write | undefined {
    const { writes } = this.#historyOf(key);
    if (state.value !== undefined) return writes.get(serialOf(state.value));
    for (const write of writes.values())
      if (write.isRemoval && write.order === state.order) return write;
    return undefined;
  }

  #violate(key: string, sentence: string): void {
    this.violate(`${key}: ${sentence}`);
  }

  #historyOf(key: string): History {
    let history = this.#histories.get(key);
    if (history === undefined) {
      history = { writes: new Map(), durable: 0n, visible: 0n };
      this.#histories.set(key, history);
    }
    return history;
  }
}

const NOTHING: State = { order: 0n, value: undefined };

export function orderOf(stamp: bigint, node: number): bigint {
  return (stamp << NODE_BITS) | BigInt(node);
}

export function stateOfRead(result: Result): State {
  return {
    order: orderOf(result.stamp, result.node),
    value: result.outcome === Code.FOUND ? textOf(result.value) : undefined,
  };
}

/** The value of a put; all of it follows from key and serial, so that any damage shows. */
export function valueTextOf(
  write: Pick<Write, 'key' | 'serial' | 'isRemoval'>,
): string | undefined {
  if (write.isRemoval) return undefined;
  const padding = String.fromCharCode(97 + (write.serial % 26)).repeat((write.serial * 31) % 173);
  return JSON.stringify({ serial: write.serial, key: write.key, padding });
}

function serialOf(value: string): number {
  return Number(/^\{"serial":(\d+),/.exec(value)?.[1] ?? -1);
}

function isWriteOutcome(outcome: Code): boolean {
  return outcome === Code.APPLIED || outcome === Code.DUPLICATE || outcome === Code.SUPERSEDED;
}

function isSame(left: State, right: State): boolean {
  return left.order === right.order && left.value === right.value;
}

function max(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}
