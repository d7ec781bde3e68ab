import {
  type Field,
  type Literal,
  NOT_JSON,
  type Predicate,
  type QueriedRecord,
} from '@tidewire/core';

type Random = (below: number) => number;

const TEXTS = ['', 'a', 'ab', 'abc', 'b', '😀', '😀b', '\uffff', 'a\0'];
const NUMBERS = [0, -0, 1, 2, 3, 4.5, -7, 1e300, Number.POSITIVE_INFINITY, Number.MIN_VALUE];
const PATTERNS = ['a%', '%b', 'a_c%', '%', '_', '😀%'];
const NAMES_OF_FEW = ['a', 'b', 'tags', '__proto__', 'length'];

/** Predicates and records that have to do with each other: few values, and few or many names. */
export class RandomPredicates {
  readonly #random: Random;
  readonly #names: readonly string[];

  constructor(random: Random, hasManyNames: boolean) {
    this.#random = random;
    const many = Array.from({ length: 60 }, (_, i) => `m${i}`);
    // Half of the picks are among the few, so that predicates and records meet.
    const often = many.flatMap((_, i) => NAMES_OF_FEW[i % NAMES_OF_FEW.length]);
    this.#names = hasManyNames ? [...often, ...many] : NAMES_OF_FEW;
  }

  /** A sound predicate of at most so many levels. */
  predicate(levels = 3): Predicate {
    const random = this.#random;
    if (levels <= 1 || random(10) < 6) return this.#test();
    switch (random(6)) {
      case 0:
        return { kind: 'not', predicate: this.predicate(levels - 1) };
      case 1:
        return this.#rangesOfOneField();
      case 2:
      case 3:
        return { kind: 'any', predicates: this.#some(() => this.predicate(levels - 1)) };
      default:
        return { kind: 'all', predicates: this.#some(() => this.predicate(levels - 1)) };
    }
  }

  /** A record of one of few keys; often undefined, sometimes not JSON. */
  record(): QueriedRecord | undefined {
    const random = this.#random;
    if (random(6) === 0) return undefined;
    const value = random(12) === 0 ? NOT_JSON : JSON.parse(this.#json(3));
    return { key: this.#pick(TEXTS), stampMs: random(8), value };
  }

  /** The same with one thing changed, or another one. */
  next(record: QueriedRecord | undefined): QueriedRecord | undefined {
    if (record === undefined || this.#random(3) === 0) return this.record();
    const { key, value } = record;
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    const changed = isObject
      ? { ...value, [this.#pick(this.#names.slice(0, 3))]: JSON.parse(this.#json(2)) }
      : JSON.parse(this.#json(3));
    return { key, stampMs: this.#random(8), value: changed };
  }

  #test(): Predicate {
    const field = this.#field();
    const literal = this.#literal(field);
    switch (this.#random(13)) {
      case 0:
        return { kind: 'ne', field, literal };
      case 1:
      case 2:
        return { kind: 'in', field, literals: this.#some(() => this.#literal(field)) };
      case 3:
      case 4:
        return { kind: 'contains', field: this.#valueField(), literal };
      case 5:
      case 6:
        return { kind: 'prefix', field: this.#textField(), text: this.#pick(TEXTS) };
      case 7:
        return { kind: 'like', field: this.#textField(), text: this.#pick(PATTERNS) };
      case 8:
        return { kind: 'exists', field };
      case 9:
      case 10:
      case 11:
        return this.#range(field);
      default:
        return { kind: 'eq', field, literal };
    }
  }

  #range(field: Field): Predicate {
    const pick = this.#orderedOf(field);
    const kind = this.#pick(['lt', 'le', 'gt', 'ge', 'between'] as const);
    if (kind === 'between') return { kind, field, low: pick(), high: pick() };
    return { kind, field, literal: pick() };
  }

  #rangesOfOneField(): Predicate {
    const field = this.#field();
    return { kind: 'all', predicates: this.#some(() => this.#range(field)) };
  }

  #field(): Field {
    const dice = this.#random(10);
    return dice === 0 ? { kind: 'key' } : dice === 1 ? { kind: 'stamp' } : this.#valueField();
  }

  #textField(): Field {
    return this.#random(6) === 0 ? { kind: 'key' } : this.#valueField();
  }

  #valueField(): Field {
    const step = (): string | number =>
      this.#random(4) === 0 ? this.#random(3) : this.#pick(this.#names);
    const dice = this.#random(10);
    const steps = dice === 0 ? [] : dice < 8 ? [this.#pick(this.#names)] : [step(), step()];
    return { kind: 'value', steps };
  }

  #literal(field: Field): Literal {
    if (field.kind === 'key') return this.#pick(TEXTS);
    if (field.kind === 'stamp') return this.#random(8);
    return this.#pick([...TEXTS, ...NUMBERS, true, false, null]);
  }

  #orderedOf(field: Field): () => number | string {
    if (field.kind === 'stamp') return () => this.#random(8);
    const isText = field.kind === 'key' || this.#random(3) === 0;
    return () => this.#pick<number | string>(isText ? TEXTS : NUMBERS);
  }

  /** JSON text of at most so many levels. */
  #json(levels: number): string {
    const dice = this.#random(10);
    if (levels <= 1 || dice < 2) return this.#plainJson();
    if (dice < 4) return `[${this.#some(() => this.#json(levels - 1)).join()}]`;
    const members = NAMES_OF_FEW.slice(0, 3).concat(this.#some(() => this.#pick(this.#names)));
    return `{${members.map((name) => `"${name}":${this.#json(levels - 1)}`).join()}}`;
  }

  #plainJson(): string {
    const literal = this.#pick([...TEXTS, ...NUMBERS, true, false, null]);
    if (Object.is(literal, -0)) return '-0';
    return literal === Number.POSITIVE_INFINITY ? '1e999' : JSON.stringify(literal);
  }

  #some<T>(make: () => T): T[] {
    return Array.from({ length: this.#random(4) }, make);
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#random(choices.length)];
  }
}
