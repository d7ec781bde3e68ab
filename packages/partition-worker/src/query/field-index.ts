import { type Access, assert, type Literal } from '@tidewire/core';
import { AFTER, BEFORE, BOTH, type Candidates } from './candidates.js';
import type { EntryChains } from './entry-chains.js';
import { type Interval, NumberIntervals } from './number-intervals.js';
import { PrefixTree } from './prefix-tree.js';
import { TextIntervals } from './text-intervals.js';
import { ValueTable } from './value-table.js';

/** A way to find a predicate by one field. */
export type FieldAccess = Exclude<Access, { kind: 'linear' }>;
type RangeAccess = Extract<Access, { kind: 'range' }>;

/** Entries by what they ask of one field. Each structure is made when it is first needed. */
export class FieldIndex {
  /** Accesses that lead through this field. */
  size = 0;
  readonly #chains: EntryChains;
  #values: ValueTable | undefined;
  #elements: ValueTable | undefined;
  #numbers: NumberIntervals | undefined;
  #texts: TextIntervals | undefined;
  #prefixes: PrefixTree | undefined;

  constructor(chains: EntryChains) {
    this.#chains = chains;
  }

  /** Returns the links to remove it by. */
  add(access: FieldAccess, entry: number): number[] {
    this.size++;
    switch (access.kind) {
      case 'equal':
        this.#values ??= new ValueTable(this.#chains);
        return addAll(this.#values, access.literals, entry);
      case 'element':
        this.#elements ??= new ValueTable(this.#chains);
        return addAll(this.#elements, access.literals, entry);
      case 'prefix':
        this.#prefixes ??= new PrefixTree(this.#chains);
        return [this.#prefixes.add(access.text, entry)];
      case 'range':
        return [this.#addRange(access, entry)];
    }
  }

  /** Undoes `add`, which returned `links`. */
  remove(access: FieldAccess, links: readonly number[]): void {
    this.size--;
    switch (access.kind) {
      case 'equal':
        return removeAll(this.#values!, access.literals, links);
      case 'element':
        return removeAll(this.#elements!, access.literals, links);
      case 'prefix':
        return this.#prefixes!.remove(access.text, links[0]);
      case 'range':
        return this.#removeRange(access, links[0]);
    }
  }

  /** Finds the entries that the field's values may concern; undefined: it is not there. */
  find(before: unknown, after: unknown, found: Candidates): void {
    if (before === after) {
      found.side = BOTH;
      this.#find(after, found);
    } else {
      found.side = BEFORE;
      this.#find(before, found);
      found.side = AFTER;
      this.#find(after, found);
    }
  }

  #find(value: unknown, found: Candidates): void {
    switch (typeof value) {
      case 'number':
        this.#values?.find(value, found);
        this.#numbers?.find(value, found);
        return;
      case 'string':
        this.#values?.find(value, found);
        this.#texts?.find(value, found);
        this.#prefixes?.find(value, found);
        return;
      case 'boolean':
        this.#values?.find(value, found);
        return;
      case 'object':
        if (value === null) this.#values?.find(value, found);
        else if (this.#elements !== undefined && Array.isArray(value))
          for (const element of value) this.#elements.find(element, found);
    }
  }

  #addRange(access: RangeAccess, entry: number): number {
    if (isOf('number', access)) {
      this.#numbers ??= new NumberIntervals(this.#chains);
      return this.#numbers.add(access, entry);
    }
    assert(isOf('string', access), 'a range has ends, and both of one order');
    this.#texts ??= new TextIntervals(this.#chains);
    return this.#texts.add(access, entry);
  }

  #removeRange(access: RangeAccess, link: number): void {
    if (isOf('number', access)) this.#numbers!.remove(access, link);
    else if (isOf('string', access)) this.#texts!.remove(access, link);
  }
}

function addAll(table: ValueTable, literals: readonly Literal[], entry: number): number[] {
  return literals.map((literal) => table.add(literal, entry));
}

function removeAll(
  table: ValueTable,
  literals: readonly Literal[],
  links: readonly number[],
): void {
  for (const [i, literal] of literals.entries()) table.remove(literal, links[i]);
}

interface IntervalTypes {
  number: number;
  string: string;
}

/** Whether all ends that are there, one at least, are of this type. */
function isOf<T extends keyof IntervalTypes>(
  type: T,
  access: RangeAccess,
): access is RangeAccess & Interval<IntervalTypes[T]> {
  const { low, high } = access;
  return (
    typeof (low ?? high) === type && (high === undefined || typeof high === typeof (low ?? high))
  );
}
