import { checkPredicate, type Field, type Literal, type Predicate } from '@tidewire/core';

/**
 * Writes a predicate on values of type `T`: `where<User>((user) => and(user.age.gt(18),
 * user.address.city.eq('Köln'), user.tags.contains('x')))`. TypeScript checks names and literals.
 *
 * @throws PredicateError if it is beyond a limit, or a literal has no place in it, such as NaN.
 */
export function where<T>(build: (fields: Fields<T>) => Predicate): Predicate {
  const members = fieldTests({ kind: 'value', steps: [] });
  const own = {
    $key: fieldTests({ kind: 'key' }),
    $stamp: fieldTests({ kind: 'stamp' }),
    $value: members,
  };
  const fields = new Proxy(own, {
    get: (_, name) => Reflect.get(Object.hasOwn(own, name) ? own : members, name),
  });
  // The proxies have whatever name is asked for; the types say which of them mean something.
  const predicate = build(fields as unknown as Fields<T>);
  checkPredicate(predicate);
  return predicate;
}

/** All hold. */
export function and(...predicates: readonly Predicate[]): Predicate {
  return { kind: 'all', predicates };
}

/** At least one holds. */
export function or(...predicates: readonly Predicate[]): Predicate {
  return { kind: 'any', predicates };
}

/** It does not hold; a record whose value is no JSON matches neither a test of it nor its `not`. */
export function not(predicate: Predicate): Predicate {
  return { kind: 'not', predicate };
}

/** The fields of a record with a value of type `T`. */
export type Fields<T> = Members<Objects<T>> & {
  readonly $key: TestsOf<string>;
  /** Milliseconds since 1970 of the record's stamp. */
  readonly $stamp: TestsOf<number>;
  /** The whole value: for values that are no objects. */
  readonly $value: TestsOf<T>;
};

/** What can be asked of a field whose value has type `V`. */
export type TestsOf<V> = Presence &
  When<Scalars<V>, Equality<Scalars<V>>> &
  When<Ordered<V>, Ordering<Ordered<V>>> &
  When<Extract<Scalars<V>, string>, TextTests> &
  When<Elements<V>, ElementTests<Elements<V>>> &
  Members<Objects<V>>;

interface Presence {
  /** The field is there, null included. */
  exists(): Predicate;
}

interface Equality<S> {
  eq(literal: S): Predicate;
  /** Of the literal's type and another value: a missing field does not differ. */
  ne(literal: S): Predicate;
  in(literals: readonly S[]): Predicate;
}

interface Ordering<O> {
  lt(literal: O): Predicate;
  le(literal: O): Predicate;
  gt(literal: O): Predicate;
  ge(literal: O): Predicate;
  /** Both ends belong to it. */
  between(low: O, high: O): Predicate;
}

interface TextTests {
  prefix(text: string): Predicate;
  /** % stands for any run of characters, _ for one. */
  like(pattern: string): Predicate;
}

interface ElementTests<E> {
  at(index: number): TestsOf<E>;
  /** An element equals it. */
  contains(literal: Scalars<E>): Predicate;
}

type TestName = keyof (Presence & Equality<0> & Ordering<0> & TextTests & ElementTests<0>);

/** Members by name; one that is called like a test, by `member`. */
type Members<O> = When<
  O,
  { readonly [K in Exclude<NamesOf<O>, TestName | 'member'>]: TestsOf<MemberOf<O, K>> } & {
    member<K extends NamesOf<O>>(name: K): TestsOf<MemberOf<O, K>>;
  }
>;

type When<V, Tests> = [V] extends [never] ? unknown : Tests;
/** A value of unknown type may be anything. */
type Scalars<V> = unknown extends V ? Literal : Extract<V, Literal>;
/** Literals of one type have their whole type's order: of 'a' | 'b' all strings can be asked for. */
type Ordered<V> =
  | (Extract<Scalars<V>, number> extends never ? never : number)
  | (Extract<Scalars<V>, string> extends never ? never : string);
type Elements<V> = unknown extends V ? unknown : V extends readonly (infer E)[] ? E : never;
type Objects<V> = unknown extends V
  ? Record<string, unknown>
  : V extends readonly unknown[]
    ? never
    : Extract<V, object>;
/** Of a union, the names of each of its types. */
type NamesOf<O> = O extends object ? keyof O & string : never;
type MemberOf<O, K extends string> = O extends { readonly [N in K]?: infer V } ? V : never;

/** The tests of one field; any other name is that of a member. */
function fieldTests(field: Field): object {
  const tests = testsOf(field);
  return new Proxy(tests, {
    get(_, name) {
      if (typeof name === 'symbol') return undefined;
      return Object.hasOwn(tests, name) ? Reflect.get(tests, name) : stepInto(field, name);
    },
  });
}

function stepInto(field: Field, step: string | number): object {
  const steps = field.kind === 'value' ? field.steps : [];
  return fieldTests({ kind: 'value', steps: [...steps, step] });
}

type AllTests = Presence &
  Equality<Literal> &
  Ordering<Literal> &
  TextTests & {
    at(index: number): object;
    contains(literal: Literal): Predicate;
    member(name: string): object;
  };

function testsOf(field: Field): AllTests {
  const comparison =
    (kind: 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge' | 'contains') =>
    (literal: Literal): Predicate => ({ kind, field, literal });
  return {
    exists: () => ({ kind: 'exists', field }),
    eq: comparison('eq'),
    ne: comparison('ne'),
    lt: comparison('lt'),
    le: comparison('le'),
    gt: comparison('gt'),
    ge: comparison('ge'),
    contains: comparison('contains'),
    in: (literals) => ({ kind: 'in', field, literals: [...literals] }),
    between: (low, high) => ({ kind: 'between', field, low, high }),
    prefix: (text) => ({ kind: 'prefix', field, text }),
    like: (text) => ({ kind: 'like', field, text }),
    at: (index) => stepInto(field, index),
    member: (name) => stepInto(field, name),
  };
}
