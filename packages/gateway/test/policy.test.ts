import { formatPredicate, PERMITS_MAX, parsePredicate } from '@tidewire/core';
import t from 'tap';
import { type Authority, authorityOf, type Permit } from '#lib/access/authority.js';
import { isMapOf, PolicyError, readPolicy } from '#lib/access/policy.js';
import { Recent } from '#lib/access/recent.js';

function authorityBy(grants: object[], claims: Record<string, unknown> = {}): Authority {
  return authorityOf(readPolicy({ grants }), claims)!;
}

function textOf(permit: Permit): string {
  return typeof permit === 'string' ? permit : formatPredicate(permit.predicate);
}

t.test('ACCESS-1: what is not granted is denied, right by right and map by map', async (t) => {
  const authority = authorityBy([{ maps: ['orders'], rights: ['read'] }]);
  t.same(authority.permitsOn('orders'), {
    read: 'everything',
    write: 'nothing',
    subscribe: 'nothing',
    execute: 'nothing',
  });
  t.equal(authority.permitsOn('order').read, 'nothing');
  t.same(Object.values(authorityBy([]).permitsOn('orders')), Array(4).fill('nothing'));
  const deaf = authorityBy([{ maps: ['a'], rights: ['subscribe'] }]);
  t.equal(deaf.permitsOn('a').subscribe, 'nothing', 'to subscribe is to read');
  const all = ['read', 'write', 'subscribe', 'execute'];
  t.equal(authorityOf(readPolicy({ grants: [{ maps: ['*'], rights: all }] }), {}), undefined);
});

t.test('ACCESS-31: what a set of grants gives is found out once, whatever the maps', async (t) => {
  const authority = authorityBy([
    { maps: ['room-*'], rights: ['read', 'subscribe'], where: 'n > 1' },
    { maps: ['*-open', 'hall'], rights: ['read'], where: 'n > 2' },
  ]);
  const maps = Array.from({ length: 4 * PERMITS_MAX }, (_, i) => `room-${i}`);
  const first = authority.permitsOn(maps[0]);
  t.equal(textOf(first.read), 'n > 1');
  t.equal(first.subscribe, first.read);
  const open = authority.permitsOn('room-7-open');
  t.equal(textOf(open.read), textOf(authority.permitsOn('room-8-open').read));
  t.not(open, first, 'other grants fit it');
  for (const map of maps) if (authority.permitsOn(map) !== first) t.fail(map);
  t.equal(authority.permitsOn('room-9-open'), open, 'nor are others forgotten for that');
  t.equal(authority.permitsOn('hall').subscribe, 'nothing');
});

t.test('ACCESS-31: of what is asked for lately so much is remembered', async (t) => {
  const recent = new Recent<number, string>(4);
  for (const key of [1, 2, 3, 4, 5, 6, 1, 7, 8, 9]) recent.get(key) ?? recent.set(key, `${key}`);
  t.same(
    [9, 8, 7, 1].map((key) => recent.get(key)),
    ['9', '8', '7', '1'],
    'what was asked for last',
  );
  t.equal(recent.get(2), undefined);
});

t.test('ACCESS-2: in the name of a map * stands for any text', async (t) => {
  const fits: Record<string, [yes: string[], no: string[]]> = {
    a: [['a'], ['', 'aa', 'A', '*']],
    '*': [['', 'a', '*'], []],
    'a*': [
      ['a', 'ab', 'a*'],
      ['', 'ba'],
    ],
    '*a': [
      ['a', 'ba'],
      ['', 'ab'],
    ],
    'a*b*c': [
      ['abc', 'axbxc', 'abbcc'],
      ['ac', 'acb', 'ab', 'bc'],
    ],
    'ab*ba': [
      ['abba', 'abxba'],
      ['aba', 'ab', 'ba'],
    ],
    'a*b*b': [
      ['abb', 'axbb'],
      ['ab', 'axb'],
    ],
    'a.c': [['a.c'], ['abc']],
  };
  for (const [pattern, [yes, no]] of Object.entries(fits)) {
    for (const map of yes) t.ok(isMapOf(pattern, map), `${pattern} fits ${map}`);
    for (const map of no) t.notOk(isMapOf(pattern, map), `${pattern} does not fit ${map}`);
  }
});

t.test(
  'ACCESS-3: grants add up: one without a predicate gives every record, else any may hold',
  async (t) => {
    const rights = ['read'];
    const mine = { maps: ['*'], rights, where: "owner = 'ann'" };
    const open = { maps: ['*'], rights, where: 'public = true' };
    const both = authorityBy([mine, open]).permitsOn('m').read;
    t.equal(textOf(both), formatPredicate(parsePredicate("owner = 'ann' or public = true")));
    const turned = authorityBy([open, mine]).permitsOn('m').read;
    t.equal(textOf(turned), textOf(both), 'in any order');
    const wide = authorityBy([mine, { maps: ['a*'], rights }]);
    t.equal(wide.permitsOn('abc').read, 'everything');
    t.equal(textOf(wide.permitsOn('b').read), "owner = 'ann'");
  },
);

t.test('ACCESS-4: a role gives its grants to those whose token has it', async (t) => {
  const grants = [
    { roles: ['editor', 'owner'], maps: ['*'], rights: ['write'] },
    { maps: ['*'], rights: ['read'] },
  ];
  const mayWrite = (claims: Record<string, unknown>): boolean =>
    authorityBy(grants, claims).permitsOn('m').write === 'everything';
  t.ok(mayWrite({ roles: ['reader', 'editor'] }));
  t.ok(mayWrite({ roles: 'owner' }));
  for (const roles of [undefined, [], 'edit', ['editors'], { editor: true }, null])
    t.notOk(mayWrite({ roles }), JSON.stringify(roles));
  const policy = readPolicy({ rolesClaim: 'groups', grants });
  t.equal(authorityOf(policy, { groups: ['editor'] })?.permitsOn('m').write, 'everything');
  t.equal(authorityOf(policy, { roles: ['editor'] })?.permitsOn('m').write, 'nothing');
});

t.test('ACCESS-5: a claim comes into a rule as one literal, whatever it contains', async (t) => {
  const grant = { maps: ['*'], rights: ['read'], where: `owner = '\${sub}'` };
  const hostile = "x' or true or '' = '";
  t.equal(
    textOf(authorityBy([grant], { sub: hostile }).permitsOn('m').read),
    formatPredicate({
      kind: 'eq',
      field: { kind: 'value', steps: ['owner'] },
      literal: hostile,
    }),
  );
  const numbered = { ...grant, where: `team in ('\${team}', 'all') and $key like 'a%'` };
  t.match(textOf(authorityBy([numbered], { team: 7 }).permitsOn('m').read), /7/);
});

t.test('ACCESS-6: a rule on a claim that the token lacks grants nothing', async (t) => {
  const where = `not (owner = '\${sub}')`;
  const permit = (claims: Record<string, unknown>, text = where): Permit =>
    authorityBy([{ maps: ['*'], rights: ['read'], where: text }], claims).permitsOn('m').read;
  for (const sub of [undefined, null, ['ann'], { name: 'ann' }])
    t.equal(permit({ sub }), 'nothing', JSON.stringify(sub));
  t.equal(permit({}, `owner = '\${constructor}'`), 'nothing', 'nor one that all objects have');
  t.equal(permit({ sub: '' }, `$key prefix '\${sub}'`), 'nothing', 'nor an empty beginning');
  t.equal(permit({ sub: true }, `age < '\${sub}'`), 'nothing', 'nor one of the wrong kind');
  t.not(permit({ sub: 'ann' }), 'nothing');
});

t.test(
  'ACCESS-7: a token may grant rights itself; grants that are not sound are refused',
  async (t) => {
    const policy = readPolicy({ grants: [{ maps: ['a'], rights: ['read'] }] });
    const own = [{ maps: ['b'], rights: ['read'], where: `owner = '\${sub}'` }];
    const authority = authorityOf(policy, { sub: 'ann', 'tidewire.grants': own });
    t.equal(authority?.permitsOn('a').read, 'everything');
    t.equal(textOf(authority!.permitsOn('b').read), "owner = 'ann'");
    const wrong = [null, {}, 'all', [{ maps: ['*'] }], [{ ...own[0], roles: ['x'] }]];
    for (const grants of wrong)
      t.throws(() => authorityOf(policy, { 'tidewire.grants': grants }), PolicyError);
  },
);

t.test(
  'ACCESS-8: a policy that is not sound is refused by one sentence that names the place',
  async (t) => {
    const grant = { maps: ['*'], rights: ['read'] };
    const wrong: [unknown, RegExp][] = [
      [[], /policy/],
      [{}, /grants/],
      [{ grants: [grant], users: [] }, /"users"/],
      [{ rolesClaim: 7, grants: [] }, /rolesClaim/],
      [{ grants: [{ ...grant, maps: '*' }] }, /grants\[0\]\.maps/],
      [{ grants: [grant, { ...grant, rights: [] }] }, /grants\[1\]\.rights/],
      [{ grants: [{ ...grant, rights: ['delete'] }] }, /delete/],
      [{ grants: [{ ...grant, roles: [7] }] }, /grants\[0\]\.roles/],
      [{ grants: [{ ...grant, where: 'age >' }] }, /grants\[0\]\.where/],
      [{ grants: [{ ...grant, where: `a = 'x\${sub}'` }] }, /whole text/],
      [{ grants: [{ ...grant, where: `a like '\${sub}'` }] }, /pattern/],
      [{ grants: [{ ...grant, wehre: 'true' }] }, /"wehre"/],
      [{ grants: Array(1025).fill(grant) }, /1024/],
    ];
    for (const [json, place] of wrong)
      t.throws(() => readPolicy(json), { name: 'PolicyError', message: place });
  },
);

t.test(
  'ACCESS-9: rules that together are larger than a predicate may be grant nothing',
  async (t) => {
    const grants = Array.from({ length: 100 }, (_, i) => ({
      maps: ['*'],
      rights: ['read'],
      where: `a${i} > ${i}`,
    }));
    t.equal(authorityBy(grants).permitsOn('m').read, 'nothing');
    t.not(authorityBy(grants.slice(0, 9)).permitsOn('m').read, 'nothing');
  },
);

t.test(
  'ADMIN-12: a field that a policy does not have is named, with those that it has',
  async (t) => {
    t.throws(() => readPolicy({ grant: [] }), {
      message: 'a policy has no "grant", but rolesClaim and grants',
    });
    t.throws(() => readPolicy({ grants: [{ map: ['a'], rights: ['read'] }] }), {
      message: 'grants[0] has no "map", but roles, maps, rights and where',
    });
  },
);
