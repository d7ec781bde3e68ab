import type { Candidates } from './candidates.js';
import { type EntryChains, NO_CHAIN } from './entry-chains.js';

interface PrefixNode {
  /** What its prefix adds to its parent's. Empty at the root only. */
  label: string;
  chain: number;
  /** By first code unit of their labels. */
  children: Map<number, PrefixNode> | undefined;
}

/**
 * Entries by the text that a string must begin with: a radix tree over UTF-16 code units, as
 * `startsWith` compares them. A lookup costs what it reads of the string.
 *
 * Invariant: a node other than the root holds a chain or has two children at least.
 */
export class PrefixTree {
  readonly #chains: EntryChains;
  readonly #root: PrefixNode = { label: '', chain: NO_CHAIN, children: undefined };

  constructor(chains: EntryChains) {
    this.#chains = chains;
  }

  get isEmpty(): boolean {
    return this.#root.chain === NO_CHAIN && this.#root.children === undefined;
  }

  /** Returns the link to remove it by. */
  add(prefix: string, entry: number): number {
    const node = this.#mustNodeOf(prefix);
    node.chain = this.#chains.add(node.chain, entry);
    return node.chain;
  }

  remove(prefix: string, link: number): void {
    let parent = this.#root;
    let node = this.#root;
    for (let at = 0; at < prefix.length; at += node.label.length) {
      parent = node;
      node = mustChild(node, prefix, at);
    }
    node.chain = this.#chains.remove(node.chain, link);
    if (node.chain !== NO_CHAIN || node === this.#root) return;
    if (node.children !== undefined) joinOnlyChild(node);
    else {
      dropChild(parent, node);
      if (parent !== this.#root && parent.chain === NO_CHAIN) joinOnlyChild(parent);
    }
  }

  /** Finds the entries whose prefix `text` begins with. */
  find(text: string, found: Candidates): void {
    let node: PrefixNode | undefined = this.#root;
    let at = 0;
    while (node !== undefined && text.startsWith(node.label, at)) {
      at += node.label.length;
      found.addChain(node.chain);
      node = childOf(node, text, at);
    }
  }

  /** The node of a prefix, made if need be. */
  #mustNodeOf(prefix: string): PrefixNode {
    let node = this.#root;
    let at = 0;
    while (at < prefix.length) {
      const child = childOf(node, prefix, at);
      if (child === undefined) return addChild(node, prefix.slice(at));
      const shared = sharedLength(child.label, prefix, at);
      node = shared === child.label.length ? child : splitChild(node, child, shared);
      at += shared;
    }
    return node;
  }
}

function childOf(node: PrefixNode, text: string, at: number): PrefixNode | undefined {
  return node.children?.get(text.charCodeAt(at));
}

function mustChild(node: PrefixNode, text: string, at: number): PrefixNode {
  return childOf(node, text, at)!;
}

function addChild(parent: PrefixNode, label: string): PrefixNode {
  const child: PrefixNode = { label, chain: NO_CHAIN, children: undefined };
  parent.children ??= new Map();
  parent.children.set(label.charCodeAt(0), child);
  return child;
}

function dropChild(parent: PrefixNode, child: PrefixNode): void {
  parent.children!.delete(child.label.charCodeAt(0));
  if (parent.children!.size === 0) parent.children = undefined;
}

/** Puts a node between the two, for the first `length` code units of the child's label. */
function splitChild(parent: PrefixNode, child: PrefixNode, length: number): PrefixNode {
  const middle = addChild(parent, child.label.slice(0, length));
  child.label = child.label.slice(length);
  middle.children = new Map([[child.label.charCodeAt(0), child]]);
  return middle;
}

/** Undoes a split: a node without a chain takes the place of its child, if it has only one. */
function joinOnlyChild(node: PrefixNode): void {
  if (node.children!.size !== 1) return;
  for (const child of node.children!.values()) {
    node.label += child.label;
    node.chain = child.chain;
    node.children = child.children;
  }
}

/** How much of `label` stands in `text` from `at` on. */
function sharedLength(label: string, text: string, at: number): number {
  let length = 0;
  while (length < label.length && label.charCodeAt(length) === text.charCodeAt(at + length))
    length++;
  return length;
}
