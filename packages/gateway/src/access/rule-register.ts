import { RULES_MAX } from '@tidewire/core';
import {
  type ControlRecord,
  forgetRuleRecord,
  type KnownRule,
  ruleRecord,
  type WorkerRequests,
} from '@tidewire/partition-worker/front';
import type { Rows } from './authority.js';

/** A rule, and who has it. */
export interface Rule extends KnownRule {
  readonly name: string;
  /** Sessions that have it. */
  holders: number;
}

/**
 * The register of rules: one for all sessions with the same rows. A rule is told to all workers before
 * the first operation that names it, and forgotten when nothing that names it can be under way.
 */
export class RuleRegister {
  readonly #requests: WorkerRequests;
  readonly #rules: Map<string, Rule> = new Map();
  #lastId = 0;

  constructor(requests: WorkerRequests) {
    this.#requests = requests;
  }

  get count(): number {
    return this.#rules.size;
  }

  /** One more session has the rule of these rows; undefined: there are too many rules. */
  acquire({ bytes, name }: Rows): Rule | undefined {
    const rule = this.#rules.get(name) ?? this.#add(name, bytes);
    if (rule !== undefined) rule.holders++;
    return rule;
  }

  /** The session has it no longer, and every operation of it has been answered. */
  release(rule: Rule): void {
    rule.holders--;
    if (rule.holders > 0) return;
    this.#rules.delete(rule.name);
    this.#tell(forgetRuleRecord(rule.id));
  }

  all(): Iterable<Rule> {
    return this.#rules.values();
  }

  #add(name: string, predicate: Uint8Array): Rule | undefined {
    if (this.#rules.size >= RULES_MAX || this.#requests.isFull) return undefined;
    const rule: Rule = { id: ++this.#lastId, predicate, name, holders: 0 };
    this.#rules.set(name, rule);
    this.#tell(ruleRecord(rule.id, predicate));
    return rule;
  }

  #tell(record: ControlRecord): void {
    for (let worker = 0; worker < this.#requests.workers; worker++)
      this.#requests.send(worker, record);
  }
}
