import { formatPredicate, type Predicate, PredicateError } from '@tidewire/core';
import { test } from 'tap';
import { and, type Fields, not, or, type TestsOf, where } from '#lib/index.js';

interface User {
  readonly name: string;
  readonly age: number;
  readonly role: 'admin' | 'guest';
  readonly nickname?: string | null;
  readonly isActive: boolean;
  readonly address: { readonly city: string; readonly geo: readonly [number, number] };
  readonly tags: readonly string[];
  readonly orders: readonly { readonly id: number; readonly note?: string }[];
  readonly like: number;
  readonly contact: { readonly mail: string } | { readonly phone: string; readonly mail: number };
}

/** Fails to compile unless both types are the same. */
function same<A, B>(
  _equal: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false,
): void {}

type Tests = Fields<User>;
type Argument<F> = F extends (argument: infer A) => unknown ? A : never;

test('PRED-30: names and literals are checked by the type of the value', async (t) => {
  same<Argument<Tests['age']['eq']>, number>(true);
  same<Argument<Tests['role']['eq']>, 'admin' | 'guest'>(true);
  same<Argument<Tests['role']['lt']>, string>(true);
  same<Argument<Tests['nickname']['eq']>, string | null>(true);
  same<Argument<Tests['isActive']['ne']>, boolean>(true);
  same<Argument<Tests['tags']['contains']>, string>(true);
  same<Argument<Tests['address']['geo']['contains']>, number>(true);
  same<ReturnType<Tests['tags']['at']>, TestsOf<string>>(true);
  same<Argument<Tests['contact']['mail']['eq']>, string | number>(true);
  same<Argument<Tests['contact']['phone']['eq']>, string>(true);
  same<Argument<Tests['$key']['eq']>, string>(true);
  same<Argument<Tests['$stamp']['ge']>, number>(true);
  same<ReturnType<ReturnType<Tests['orders']['at']>['id']['eq']>, Predicate>(true);

  same<'prefix' extends keyof Tests['age'] ? true : false, false>(true);
  same<'lt' extends keyof Tests['isActive'] ? true : false, false>(true);
  same<'eq' extends keyof Tests['address'] ? true : false, false>(true);
  same<'contains' extends keyof Tests['name'] ? true : false, false>(true);
  same<'length' extends keyof Tests['tags'] ? true : false, false>(true);
  same<'surname' extends keyof Tests ? true : false, false>(true);
  t.pass('it compiles');
});

function text(build: (user: Fields<User>) => Predicate): string {
  return formatPredicate(where<User>(build));
}

test('PRED-31: every test is written as called', async (t) => {
  t.equal(
    text((user) => user.age.eq(1)),
    'age = 1',
  );
  t.equal(
    text((user) => user.age.ne(1)),
    'age != 1',
  );
  t.equal(
    text((user) => user.age.lt(1)),
    'age < 1',
  );
  t.equal(
    text((user) => user.age.le(1)),
    'age <= 1',
  );
  t.equal(
    text((user) => user.age.gt(1)),
    'age > 1',
  );
  t.equal(
    text((user) => user.age.ge(1)),
    'age >= 1',
  );
  t.equal(
    text((user) => user.age.between(1, 2)),
    'age between 1 and 2',
  );
  t.equal(
    text((user) => user.role.in(['admin', 'guest'])),
    "role in ('admin', 'guest')",
  );
  t.equal(
    text((user) => user.name.prefix('A')),
    "name prefix 'A'",
  );
  t.equal(
    text((user) => user.name.like('%a_')),
    "name like '%a_'",
  );
  t.equal(
    text((user) => user.nickname.exists()),
    'exists nickname',
  );
  t.equal(
    text((user) => user.nickname.eq(null)),
    'nickname = null',
  );
  t.equal(
    text((user) => user.tags.contains('x')),
    "tags contains 'x'",
  );
  t.equal(
    text((user) => user.$key.prefix('room:')),
    "$key prefix 'room:'",
  );
  t.equal(
    text((user) => user.$stamp.ge(1.7e12)),
    '$stamp >= 1700000000000',
  );
});

test('PRED-31: paths lead anywhere in the value', async (t) => {
  t.equal(
    text((user) => user.address.city.eq('Köln')),
    "address.city = 'Köln'",
  );
  t.equal(
    text((user) => user.orders.at(2).note.exists()),
    'exists orders[2].note',
  );
  t.equal(
    text((user) => user.member('like').gt(3)),
    '"like" > 3',
    'a member called like a test',
  );
  t.equal(formatPredicate(where<number>((it) => it.$value.gt(3))), '$value > 3');
  t.equal(formatPredicate(where<number[]>((it) => it.$value.at(0).eq(3))), '[0] = 3');
  t.equal(
    formatPredicate(where<{ constructor: number }>((it) => it.constructor.eq(1))),
    'constructor = 1',
  );
  t.equal(
    formatPredicate(where<unknown>((it) => it['a']['b'].contains(null))),
    'a.b contains null',
  );
});

test('PRED-31: and, or and not nest', async (t) => {
  t.equal(
    text((user) => and(user.age.gt(18), or(not(user.name.eq('A')), user.isActive.eq(true)))),
    "age > 18 and (not name = 'A' or isActive = true)",
  );
});

test('PRED-32: what TypeScript cannot see is refused when it is written', async (t) => {
  t.throws(() => where<User>((user) => user.age.gt(Number.NaN)), PredicateError);
  t.throws(() => where<User>((user) => user.tags.at(-1).exists()), PredicateError);
  t.throws(() => where<User>((user) => user.name.eq('\ud800')), PredicateError);
  const many = Array.from({ length: 300 }, (_, i) => i);
  try {
    where<User>((user) => user.age.in(many));
    t.fail('too many literals');
  } catch (error) {
    t.ok(error instanceof PredicateError && error.isTooLarge, 'too many literals');
  }
});
