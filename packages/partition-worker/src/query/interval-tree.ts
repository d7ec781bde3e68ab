import { assert } from '@tidewire/core';
import type { Candidates } from './candidates.js';
import { doubled } from './doubled.js';
import { type EntryChains, NO_CHAIN } from './entry-chains.js';

const NODES_AT_FIRST = 16;
const NO_NODE = 0;

/** No node: the interval, or the value, that is looked for at present. */
export const SOUGHT = 0;

/**
 * Entries by interval: an AVL tree with one node for each different interval, ordered by low end,
 * then by high end. Each node knows which node of its subtree ends last, so that a subtree that ends
 * before a value is passed over: a lookup visits ancestors of what it finds, and one path.
 *
 * What the ends are is the subclass's: this class moves numbers of nodes only.
 */
export abstract class IntervalTree {
  #root: number = NO_NODE;
  #left: Int32Array = new Int32Array(NODES_AT_FIRST);
  #right: Int32Array = new Int32Array(NODES_AT_FIRST); // of a free node: the next one
  #height: Int32Array = new Int32Array(NODES_AT_FIRST);
  #last: Int32Array = new Int32Array(NODES_AT_FIRST); // which node of the subtree ends last
  #chain: Int32Array = new Int32Array(NODES_AT_FIRST);
  #free: number = NO_NODE;
  #used = 1; // node 0 is none
  #reached: number = NO_NODE; // the node of the sought interval, once it was reached
  readonly #chains: EntryChains;

  constructor(chains: EntryChains) {
    this.#chains = chains;
  }

  get isEmpty(): boolean {
    return this.#root === NO_NODE;
  }

  /** Longest way from the root down, in nodes. */
  get height(): number {
    return this.#height[this.#root];
  }

  /** By low end, then by high end. */
  protected abstract compare(left: number, right: number): number;
  protected abstract endsLater(left: number, right: number): boolean;
  /** The node begins behind the sought value. */
  protected abstract beginsBehind(node: number): boolean;
  /** The node ends before the sought value. */
  protected abstract endsBefore(node: number): boolean;
  /** Gives a new node the sought interval; there may never have been one of so high a number. */
  protected abstract keep(node: number): void;

  /** Adds an entry under the sought interval; returns the link to remove it by. */
  protected addSought(entry: number): number {
    // Before the way down: an assignment on the way must not reach an array that was replaced.
    if (this.#free === NO_NODE && this.#used === this.#left.length) this.#grow();
    this.#root = this.#insert(this.#root);
    const link = this.#chains.add(this.#chain[this.#reached], entry);
    this.#chain[this.#reached] = link;
    return link;
  }

  protected removeSought(link: number): void {
    const node = this.#nodeOfSought();
    this.#chain[node] = this.#chains.remove(this.#chain[node], link);
    if (this.#chain[node] === NO_CHAIN) this.#root = this.#delete(this.#root);
  }

  /** Finds the entries of all intervals that hold the sought value. */
  protected findSought(found: Candidates): void {
    this.#stab(this.#root, found);
  }

  #stab(subtree: number, found: Candidates): void {
    let node = subtree;
    while (node !== NO_NODE && !this.endsBefore(this.#last[node])) {
      const left = this.#left[node];
      if (this.beginsBehind(node)) node = left;
      else {
        if (left !== NO_NODE) this.#stab(left, found);
        if (!this.endsBefore(node)) found.addChain(this.#chain[node]);
        node = this.#right[node];
      }
    }
  }

  #nodeOfSought(): number {
    let node = this.#root;
    for (;;) {
      assert(node !== NO_NODE, 'an interval has a node from add to remove');
      const order = this.compare(SOUGHT, node);
      if (order === 0) return node;
      node = order < 0 ? this.#left[node] : this.#right[node];
    }
  }

  /** Sees to it that the subtree has a node of the sought interval; returns the subtree's root. */
  #insert(node: number): number {
    if (node === NO_NODE) return this.#claim();
    const order = this.compare(SOUGHT, node);
    if (order === 0) {
      this.#reached = node;
      return node;
    }
    if (order < 0) this.#left[node] = this.#insert(this.#left[node]);
    else this.#right[node] = this.#insert(this.#right[node]);
    return this.#balance(node);
  }

  /** Takes the node of the sought interval out of a subtree; returns the root of what is left. */
  #delete(node: number): number {
    const order = this.compare(SOUGHT, node);
    if (order === 0) return this.#unlink(node);
    if (order < 0) this.#left[node] = this.#delete(this.#left[node]);
    else this.#right[node] = this.#delete(this.#right[node]);
    return this.#balance(node);
  }

  #unlink(node: number): number {
    const left = this.#left[node];
    const right = this.#right[node];
    this.#right[node] = this.#free;
    this.#free = node;
    if (left === NO_NODE) return right;
    if (right === NO_NODE) return left;
    const rest = this.#takeFirst(right);
    const first = this.#reached;
    this.#left[first] = left;
    this.#right[first] = rest;
    return this.#balance(first);
  }

  /** Takes the first node out of a subtree and reaches it; returns the root of what is left. */
  #takeFirst(node: number): number {
    const left = this.#left[node];
    if (left === NO_NODE) {
      this.#reached = node;
      return this.#right[node];
    }
    this.#left[node] = this.#takeFirst(left);
    return this.#balance(node);
  }

  /** Restores order in a node whose subtrees are in order and differ by 2 at most in height. */
  #balance(node: number): number {
    const tilt = this.#tilt(node);
    if (tilt > 1) {
      const left = this.#left[node];
      if (this.#tilt(left) < 0) this.#left[node] = this.#rotateLeft(left);
      return this.#rotateRight(node);
    }
    if (tilt < -1) {
      const right = this.#right[node];
      if (this.#tilt(right) > 0) this.#right[node] = this.#rotateRight(right);
      return this.#rotateLeft(node);
    }
    this.#settle(node);
    return node;
  }

  /** By how much the left subtree is higher. */
  #tilt(node: number): number {
    return this.#height[this.#left[node]] - this.#height[this.#right[node]];
  }

  #rotateRight(node: number): number {
    const top = this.#left[node];
    this.#left[node] = this.#right[top];
    this.#right[top] = node;
    this.#settle(node);
    this.#settle(top);
    return top;
  }

  #rotateLeft(node: number): number {
    const top = this.#right[node];
    this.#right[node] = this.#left[top];
    this.#left[top] = node;
    this.#settle(node);
    this.#settle(top);
    return top;
  }

  /** Derives a node's height and last end anew from its children's. */
  #settle(node: number): void {
    const left = this.#left[node];
    const right = this.#right[node];
    this.#height[node] = 1 + Math.max(this.#height[left], this.#height[right]);
    let last = node;
    if (left !== NO_NODE && this.endsLater(this.#last[left], last)) last = this.#last[left];
    if (right !== NO_NODE && this.endsLater(this.#last[right], last)) last = this.#last[right];
    this.#last[node] = last;
  }

  #claim(): number {
    const isUsedAgain = this.#free !== NO_NODE;
    const node = isUsedAgain ? this.#free : this.#used++;
    if (isUsedAgain) this.#free = this.#right[node];
    this.#left[node] = NO_NODE;
    this.#right[node] = NO_NODE;
    this.keep(node);
    this.#settle(node);
    this.#reached = node;
    return node;
  }

  #grow(): void {
    this.#left = doubled(this.#left);
    this.#right = doubled(this.#right);
    this.#height = doubled(this.#height);
    this.#last = doubled(this.#last);
    this.#chain = doubled(this.#chain);
  }
}
