import { Code } from '@tidewire/core';
import { type FrameReader, NO_RULE, RULE_NOTHING } from '@tidewire/core/threads';
import type { OperationRuling, RecordName } from '@tidewire/partition-worker/front';
import { OperationKind } from '@tidewire/schemas';
import { OperationRefusal } from '../operation/operation-refusal.js';
import type { Session } from '../session/session.js';
import type { Audit } from './audit.js';
import type { Authority, Rows } from './authority.js';
import { denied } from './denied.js';
import type { Right } from './policy.js';
import type { RuleRegister } from './rule-register.js';

const GROUP_FORBIDDEN: OperationRefusal = new OperationRefusal(
  Code.FORBIDDEN,
  'Not permitted: a group needs the rights to read and to execute on all records of each of its maps.',
);

/**
 * Decides what of an operation its session may do: nothing, or everything, or what the rules say that
 * go along with it to the worker, which has the record.
 */
export class OperationAccess implements OperationRuling {
  readonly #rules: RuleRegister;
  readonly #audit: Audit;
  /** Of the operation last decided. */
  #map = '';
  /** Of the operation last decided; see OperationRules. */
  write: number = NO_RULE;
  read: number = NO_RULE;

  constructor(options: { rules: RuleRegister; audit: Audit }) {
    this.#rules = options.rules;
    this.#audit = options.audit;
  }

  /** The operation goes to its worker with rules. */
  get isRuled(): boolean {
    return this.write !== NO_RULE || this.read !== NO_RULE;
  }

  /** The operations to come are of a session that may do everything. */
  clear(): void {
    this.write = NO_RULE;
    this.read = NO_RULE;
  }

  /** Returns 0 and leaves the rules, or why nothing is done. */
  decide(
    session: Session,
    authority: Authority,
    reader: FrameReader,
    bytes: Uint8Array,
  ): Code | OperationRefusal {
    const { mapOffset, mapLength, kind } = reader;
    const map = Buffer.from(bytes.buffer, bytes.byteOffset + mapOffset, mapLength).toString();
    this.#map = map;
    const permits = authority.permitsOn(map);
    const { read } = permits;
    const right = rightFor(kind);
    const write = permits[right];
    if (write === 'nothing') {
      this.#audit.onDenied(session, map, right);
      return new OperationRefusal(Code.FORBIDDEN, denied(right, map));
    }
    const writeRule =
      right === 'read' || typeof write === 'string' ? NO_RULE : this.#ruleOf(session, write);
    const readRule = typeof read === 'string' ? NO_RULE : this.#ruleOf(session, read);
    if (writeRule === undefined || readRule === undefined) return Code.OVERLOADED;
    this.write = writeRule;
    this.read = read === 'nothing' ? RULE_NOTHING : readRule;
    return Code.UNSPECIFIED;
  }

  /**
   * Of a group, REQUIRES that `decide` has permitted its own record: as a processor sees and changes all
   * its records, they must be of maps in which the session may execute on, and read, everything.
   */
  decideOthers(
    session: Session,
    authority: Authority,
    others: readonly RecordName[],
  ): Code | OperationRefusal {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true }); // a mark is part of a name
    const maps = others.map(({ map }) => decoder.decode(map));
    const lacking = maps.find((map) => {
      const { execute, read } = authority.permitsOn(map);
      return execute !== 'everything' || read !== 'everything';
    });
    const denied = lacking ?? (this.isRuled ? this.#map : undefined);
    if (denied === undefined) return Code.UNSPECIFIED;
    this.#audit.onDenied(session, denied, 'execute');
    return GROUP_FORBIDDEN;
  }

  /** Every operation of the session has been answered, and none will come. */
  release(session: Session): void {
    if (session.rules === undefined) return;
    for (const rule of session.rules.values()) this.#rules.release(rule);
    session.rules = undefined;
  }

  /** Undefined: there are too many rules. */
  #ruleOf(session: Session, rows: Rows): number | undefined {
    const known = session.rules?.get(rows.name);
    if (known !== undefined) return known.id;
    const rule = this.#rules.acquire(rows);
    if (rule === undefined) return undefined;
    session.rules ??= new Map();
    session.rules.set(rows.name, rule);
    return rule.id;
  }
}

/** The right that an operation of this kind needs. */
export function rightFor(kind: number): Right {
  if (kind === OperationKind.GET) return 'read';
  return kind === OperationKind.EXECUTE ? 'execute' : 'write';
}
