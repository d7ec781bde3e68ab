import { stepInto } from '@tidewire/core';
import type { Candidates } from './candidates.js';
import type { EntryChains } from './entry-chains.js';
import { FieldIndex } from './field-index.js';

/** With more children than this, a value's members are looked up among them, not they in it. */
const CHILDREN_TRIED_MAX = 32;

type Step = string | number;

/** A place in values. Invariant: but for the root, an access leads here or further on. */
interface PathNode {
  readonly step: Step;
  /** Where it stands among its parent's children. */
  index: number;
  readonly fields: FieldIndex;
  readonly children: PathNode[];
  readonly childOf: Map<Step, PathNode>;
}

/**
 * The fields of values, by path. A value is walked along the paths that are asked for, each place
 * once however many ask for it, and no further than the value goes: very many different paths cost
 * what the value has of members, not what there are of paths.
 */
export class PathTree {
  readonly #chains: EntryChains;
  readonly #root: PathNode;

  constructor(chains: EntryChains) {
    this.#chains = chains;
    this.#root = this.#newNode('', 0);
  }

  /** The index of the field at the end of a path. Once its size is 0 it must be released. */
  claim(steps: readonly Step[]): FieldIndex {
    let node = this.#root;
    for (const step of steps) node = node.childOf.get(step) ?? this.#addChild(node, step);
    return node.fields;
  }

  /** Drops the places of a path that no access needs any more. */
  release(steps: readonly Step[]): void {
    const nodes = [this.#root];
    for (const step of steps) nodes.push(nodes.at(-1)!.childOf.get(step)!);
    for (let depth = steps.length; depth > 0; depth--) {
      const node = nodes[depth];
      if (node.fields.size > 0 || node.children.length > 0) return;
      dropChild(nodes[depth - 1], node);
    }
  }

  /** Finds the entries that two values, the one before and the one after, may concern. */
  find(before: unknown, after: unknown, found: Candidates): void {
    visit(this.#root, before, after, found);
  }

  #addChild(parent: PathNode, step: Step): PathNode {
    const child = this.#newNode(step, parent.children.length);
    parent.children.push(child);
    parent.childOf.set(step, child);
    return child;
  }

  #newNode(step: Step, index: number): PathNode {
    const fields = new FieldIndex(this.#chains);
    return { step, index, fields, children: [], childOf: new Map() };
  }
}

function dropChild(parent: PathNode, child: PathNode): void {
  const last = parent.children.pop()!;
  if (last !== child) {
    parent.children[child.index] = last;
    last.index = child.index;
  }
  parent.childOf.delete(child.step);
}

function visit(node: PathNode, before: unknown, after: unknown, found: Candidates): void {
  if (node.fields.size > 0) node.fields.find(before, after, found);
  if (node.children.length > CHILDREN_TRIED_MAX) {
    visitMembers(node, before, (child, value) => visit(child, value, undefined, found));
    visitMembers(node, after, (child, value) => visit(child, undefined, value, found));
    return;
  }
  for (const child of node.children) {
    const childBefore = stepInto(before, child.step);
    const childAfter = stepInto(after, child.step);
    if (childBefore !== undefined || childAfter !== undefined)
      visit(child, childBefore, childAfter, found);
  }
}

/** Visits what `value` has of the node's children. */
function visitMembers(
  node: PathNode,
  value: unknown,
  visitChild: (child: PathNode, value: unknown) => void,
): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const child = node.childOf.get(i);
      if (child !== undefined) visitChild(child, value[i]);
    }
  } else
    for (const name of Object.keys(value)) {
      const child = node.childOf.get(name);
      if (child !== undefined) visitChild(child, (value as Record<string, unknown>)[name]);
    }
}
