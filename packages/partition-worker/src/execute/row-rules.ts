import { compilePredicate, decodePredicate, type RecordTest } from '@tidewire/core';
import {
  ForgetRuleRequest,
  NO_RULE,
  OperationExtension,
  OperationRules,
  RULE_NOTHING,
  RuleRequest,
} from '@tidewire/core/threads';
import { OperationKind } from '@tidewire/schemas';
import { StoredRecord } from '../query/stored-record.js';
import { ABSENT } from '../store/record-store.js';
import { isRuled, isUpdate, isVisible, operationKindOf } from './operation.js';
import { extensionOf } from './request-fields.js';
import { RequestedRecord } from './requested-record.js';

/**
 * The rules by which sessions may see and change some records of a map and not others. Derived, as
 * interests are: the gateway tells a rule before the first operation that names it, and tells a
 * worker that starts all of them before it executes anything. One that is not known is of a session that
 * has gone, whose last operation is executed again after a death, for nobody: no record passes.
 */
export class RowRules {
  readonly #tests: Map<number, RecordTest> = new Map();
  readonly #words: Int32Array;
  readonly #stored: StoredRecord;

  /** `words`: those of the store. */
  constructor(words: Int32Array) {
    this.#words = words;
    this.#stored = new StoredRecord(words);
  }

  /** Takes the rule of a RULE record; saying it again changes nothing. */
  add(words: Int32Array, at: number): void {
    const offset = (at + RuleRequest.BODY) * 4;
    const length = words[at + RuleRequest.PREDICATE_LENGTH];
    const predicate = new Uint8Array(words.buffer, offset, length).slice();
    this.#tests.set(words[at + RuleRequest.RULE], compilePredicate(decodePredicate(predicate)));
  }

  /** Takes a FORGET_RULE record. */
  forget(words: Int32Array, at: number): void {
    this.#tests.delete(words[at + ForgetRuleRequest.RULE]);
  }

  /** Whether the operation's session may see whatever there is. */
  showsAll(request: Int32Array, at: number): boolean {
    return !isRuled(request, at) || ruleAt(request, at, OperationRules.READ) === NO_RULE;
  }

  /** Whether it may see the record, or ABSENT; what has no value to show is seen by none with a rule. */
  shows(request: Int32Array, at: number, record: number): boolean {
    if (this.showsAll(request, at)) return true;
    const rule = ruleAt(request, at, OperationRules.READ);
    return (
      rule !== RULE_NOTHING && this.#isThere(request, at, record) && this.#passes(rule, record)
    );
  }

  /** Whether it may change the record, or ABSENT, at all. */
  mayTouch(request: Int32Array, at: number, record: number): boolean {
    const rule = isRuled(request, at) ? ruleAt(request, at, OperationRules.WRITE) : NO_RULE;
    return rule === NO_RULE || !this.#isThere(request, at, record) || this.#passes(rule, record);
  }

  /**
   * Whether it may leave what the plain write at `from` of `write` leaves. A removal leaves nothing: the
   * record that it removes has passed, and where there was none the key alone must.
   */
  mayLeave(
    request: Int32Array,
    at: number,
    record: number,
    write: Int32Array,
    from: number,
  ): boolean {
    const rule = isRuled(request, at) ? ruleAt(request, at, OperationRules.WRITE) : NO_RULE;
    if (rule === NO_RULE) return true;
    const isRemoval = operationKindOf(write, from) === OperationKind.REMOVE;
    if (isRemoval && this.#isThere(request, at, record)) return true;
    return this.#tests.get(rule)?.(new RequestedRecord(write, from)) ?? false;
  }

  #isThere(request: Int32Array, at: number, record: number): boolean {
    return record !== ABSENT && isVisible(request, at, this.#words, record);
  }

  #passes(rule: number, record: number): boolean {
    return this.#tests.get(rule)?.(this.#stored.turnTo(record)) ?? false;
  }
}

function ruleAt(request: Int32Array, at: number, field: number): number {
  const end = extensionOf(request, at) + (isUpdate(request, at) ? OperationExtension.WORDS : 0);
  return request[end + field];
}
