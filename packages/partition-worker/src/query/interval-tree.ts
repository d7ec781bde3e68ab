import { assert } from '@tidewire/core';
import type { Candidates } from './candidates.js';
import { doubled } from './doubled.js';
import { type EntryChains, NO_CHAIN } from './entry-chains.js';

const NODES_AT_FIRST = 16;
export const NO_NODE = 0;

// Words of a node, together because they are used together.
const LEFT = 0;
const RIGHT = 1; // of a free node: the next one
const HEIGHT = 2;
const CHAIN = 3;
const NODE_WORDS_LOG2 = 2;

/** No node: the interval, or the value, that is looked for at present. */
export const SOUGHT = 0;

/**
 * Entries by interval: an AVL tree with one node for each different interval, ordered by low end,
 * then by high end. Each node knows where the last of its subtree ends, so that a subtree that ends
 * before a value is passed over: a lookup visits ancestors of what it finds, and one path.
 *
 * What the ends are is the subclass's: this class moves numbers of nodes only.
 */
export abstract class IntervalTree {
  #root: number = NO_NODE;
  #nodes: Int32Array = new Int32Array(NODES_AT_FIRST << NODE_WORDS_LOG2);
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
    return this.#word(this.#root, HEIGHT);
  }

  /** By low end, then by high end. */
  protected abstract compare(left: number, right: number): number;
  /** The node begins behind the sought value. */
  protected abstract beginsBehind(node: number): boolean;
  /** The node ends before the sought value. */
  protected abstract endsBefore(node: number): boolean;
  /** So do all nodes of its subtree. */
  protected abstract allEndBefore(node: number): boolean;
  /** Derives where the last of a subtree ends from the node and its children, which may be none. */
  protected abstract settleLast(node: number, left: number, right: number): void;
  /** Gives a new node the sought interval; there may never have been one of so high a number. */
  protected abstract keep(node: number): void;

  /** Adds an entry under the sought interval; returns the link to remove it by. */
  protected addSought(entry: number): number {
    this.#root = this.#insert(this.#root);
    const link = this.#chains.add(this.#word(this.#reached, CHAIN), entry);
    this.#set(this.#reached, CHAIN, link);
    return link;
  }

  protected removeSought(link: number): void {
    const node = this.#nodeOfSought();
    this.#set(node, CHAIN, this.#chains.remove(this.#word(node, CHAIN), link));
    if (this.#word(node, CHAIN) === NO_CHAIN) this.#root = this.#delete(this.#root);
  }

  /** Finds the entries of all intervals that hold the sought value. */
  protected findSought(found: Candidates): void {
    this.#stab(this.#root, found);
  }

  #stab(subtree: number, found: Candidates): void {
    const nodes = this.#nodes;
    let node = subtree;
    while (node !== NO_NODE && !this.allEndBefore(node)) {
      const at = node << NODE_WORDS_LOG2;
      const left = nodes[at + LEFT];
      if (this.beginsBehind(node)) node = left;
      else {
        if (left !== NO_NODE) this.#stab(left, found);
        if (!this.endsBefore(node)) found.addChain(nodes[at + CHAIN]);
        node = nodes[at + RIGHT];
      }
    }
  }

  #nodeOfSought(): number {
    let node = this.#root;
    for (;;) {
      assert(node !== NO_NODE, 'an interval has a node from add to remove');
      const order = this.compare(SOUGHT, node);
      if (order === 0) return node;
      node = order < 0 ? this.#word(node, LEFT) : this.#word(node, RIGHT);
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
    if (order < 0) this.#set(node, LEFT, this.#insert(this.#word(node, LEFT)));
    else this.#set(node, RIGHT, this.#insert(this.#word(node, RIGHT)));
    return this.#balance(node);
  }

  /** Takes the node of the sought interval out of a subtree; returns the root of what is left. */
  #delete(node: number): number {
    const order = this.compare(SOUGHT, node);
    if (order === 0) return this.#unlink(node);
    if (order < 0) this.#set(node, LEFT, this.#delete(this.#word(node, LEFT)));
    else this.#set(node, RIGHT, this.#delete(this.#word(node, RIGHT)));
    return this.#balance(node);
  }

  #unlink(node: number): number {
    const left = this.#word(node, LEFT);
    const right = this.#word(node, RIGHT);
    this.#set(node, RIGHT, this.#free);
    this.#free = node;
    if (left === NO_NODE) return right;
    if (right === NO_NODE) return left;
    const rest = this.#takeFirst(right);
    const first = this.#reached;
    this.#set(first, LEFT, left);
    this.#set(first, RIGHT, rest);
    return this.#balance(first);
  }

  /** Takes the first node out of a subtree and reaches it; returns the root of what is left. */
  #takeFirst(node: number): number {
    const left = this.#word(node, LEFT);
    if (left === NO_NODE) {
      this.#reached = node;
      return this.#word(node, RIGHT);
    }
    this.#set(node, LEFT, this.#takeFirst(left));
    return this.#balance(node);
  }

  /** Restores order in a node whose subtrees are in order and differ by 2 at most in height. */
  #balance(node: number): number {
    const tilt = this.#tilt(node);
    if (tilt > 1) {
      const left = this.#word(node, LEFT);
      if (this.#tilt(left) < 0) this.#set(node, LEFT, this.#rotateLeft(left));
      return this.#rotateRight(node);
    }
    if (tilt < -1) {
      const right = this.#word(node, RIGHT);
      if (this.#tilt(right) > 0) this.#set(node, RIGHT, this.#rotateRight(right));
      return this.#rotateLeft(node);
    }
    this.#settle(node);
    return node;
  }

  /** By how much the left subtree is higher. */
  #tilt(node: number): number {
    return this.#word(this.#word(node, LEFT), HEIGHT) - this.#word(this.#word(node, RIGHT), HEIGHT);
  }

  #rotateRight(node: number): number {
    const top = this.#word(node, LEFT);
    this.#set(node, LEFT, this.#word(top, RIGHT));
    this.#set(top, RIGHT, node);
    this.#settle(node);
    this.#settle(top);
    return top;
  }

  #rotateLeft(node: number): number {
    const top = this.#word(node, RIGHT);
    this.#set(node, RIGHT, this.#word(top, LEFT));
    this.#set(top, LEFT, node);
    this.#settle(node);
    this.#settle(top);
    return top;
  }

  /** Derives a node's height and last end anew from its children's. */
  #settle(node: number): void {
    const left = this.#word(node, LEFT);
    const right = this.#word(node, RIGHT);
    this.#set(node, HEIGHT, 1 + Math.max(this.#word(left, HEIGHT), this.#word(right, HEIGHT)));
    this.settleLast(node, left, right);
  }

  #claim(): number {
    let node = this.#free;
    if (node !== NO_NODE) this.#free = this.#word(node, RIGHT);
    else {
      node = this.#used++;
      if (node << NODE_WORDS_LOG2 === this.#nodes.length) this.#nodes = doubled(this.#nodes);
    }
    this.#set(node, LEFT, NO_NODE);
    this.#set(node, RIGHT, NO_NODE);
    this.keep(node);
    this.#settle(node);
    this.#reached = node;
    return node;
  }

  #word(node: number, word: number): number {
    return this.#nodes[(node << NODE_WORDS_LOG2) + word];
  }

  #set(node: number, word: number, value: number): void {
    this.#nodes[(node << NODE_WORDS_LOG2) + word] = value;
  }
}
