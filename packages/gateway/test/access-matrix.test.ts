import { create, toBinary } from '@bufbuild/protobuf';
import { Code, messageOf, parsePredicate, RESUME_TOKEN_BYTES } from '@tidewire/core';
import { OperationKind, RecordNamesSchema, type Result, StartFrom } from '@tidewire/schemas';
import t from 'tap';
import { STORE } from './bench.js';
import { ALL_RIGHTS, PolicedBench, ROOT, type SpiedClient } from './policed-bench.js';

const text = new TextEncoder();
const RECORD: Uint8Array<ArrayBuffer> = text.encode('{"owner":"ann","n":1}');

/** How the row predicate of a grant relates to the record; `none`: there is no predicate. */
const ROWS = ['none', 'holds', 'fails'] as const;
type Rows = (typeof ROWS)[number];

interface Place {
  readonly bench: PolicedBench;
  readonly client: SpiedClient;
  /** May do everything. */
  readonly root: SpiedClient;
  readonly map: string;
}

/** An operation on the record "k" of the map, and what became of it in one word. */
interface Deed {
  readonly name: string;
  readonly needs: readonly string[];
  /** Where the record may be touched, and where a row predicate hides it. */
  readonly done: string;
  readonly hidden: string;
  /** Where there is a row predicate, whatever the record is. */
  readonly ruled?: string;
  /** An earlier session of the same subject and resume token, with all rights, has done `merge`. */
  readonly isResumed?: boolean;
  readonly run: (place: Place) => string;
}

const DEEDS: readonly Deed[] = [
  {
    name: 'get',
    needs: ['read'],
    done: 'FOUND',
    hidden: 'ABSENT',
    run: operated(OperationKind.GET),
  },
  written('put', OperationKind.PUT, '{"owner":"ann","n":2}'),
  written('remove', OperationKind.REMOVE),
  written('merge', OperationKind.MERGE, '{"n":2}'),
  written('append', OperationKind.APPEND, '2', 'PRECONDITION'),
  written('increment', OperationKind.INCREMENT, '1', 'PRECONDITION'),
  written('minimum', OperationKind.MINIMUM, '1', 'PRECONDITION'),
  written('maximum', OperationKind.MAXIMUM, '1', 'PRECONDITION'),
  written('put if absent', OperationKind.PUT, '{"owner":"ann"}', 'PRECONDITION', {
    ifAbsent: true,
  }),
  written('put an older value', OperationKind.PUT, '{"owner":"ann"}', 'SUPERSEDED', {
    stamp: 1n << 16n,
  }),
  written('put while connected', OperationKind.PUT, '{"owner":"ann"}', 'APPLIED', {
    whileConnected: true,
  }),
  {
    ...written('execute', OperationKind.EXECUTE, '', 'APPLIED', { processor: 'tidy' }),
    needs: ['execute'],
  },
  {
    name: 'execute on a group',
    needs: ['read', 'execute'],
    done: 'APPLIED',
    hidden: 'FORBIDDEN',
    ruled: 'FORBIDDEN',
    run: (place) => {
      const records = [{ map: `${place.map}-other`, key: 'k' }];
      const others = toBinary(RecordNamesSchema, create(RecordNamesSchema, { records }));
      return operated(OperationKind.EXECUTE, '', { processor: 'tidyAll', others })(place);
    },
  },
  {
    name: 'send an update again',
    needs: ['write'],
    done: 'APPLIED',
    hidden: 'FORBIDDEN',
    isResumed: true,
    run: ({ bench, client, map }) => merge(bench, client, map),
  },
  {
    name: 'query',
    needs: ['read'],
    done: '1 rows, 1 in all',
    hidden: '0 rows, 0 in all',
    run: queried({}),
  },
  {
    name: 'first rows',
    needs: ['read'],
    done: '1 rows, 1 in all',
    hidden: '0 rows, 0 in all',
    run: queried({ limit: 5 }),
  },
  {
    name: 'count',
    needs: ['read'],
    done: '0 rows, 1 in all',
    hidden: '0 rows, 0 in all',
    run: queried({ countOnly: true }),
  },
  { name: 'watch a map', ...watching({}) },
  { name: 'watch a key', ...watching({ key: 'k' }) },
  { name: 'watch by a predicate', ...watching({ where: messageOf(parsePredicate('n >= 0')) }) },
  { name: 'watch at most so often', ...watching({ maxHz: 1 }) },
  { name: 'resume a map', ...watching({ start: StartFrom.RESUME }) },
  { name: 'resume a key', ...watching({ key: 'k', start: StartFrom.RESUME }) },
  { name: 'hear of changes', ...hearing({}) },
  { name: 'hear of changes at most so often', ...hearing({ maxHz: 1 }) },
  { name: 'hear of changes of a key', ...hearing({ key: 'k' }) },
];

function written(
  name: string,
  kind: OperationKind,
  value = '',
  done = 'APPLIED',
  more: object = {},
): Deed {
  const run = operated(kind, value, more);
  return { name, needs: ['write'], done, hidden: 'FORBIDDEN', run };
}

function operated(kind: OperationKind, value = '', more: object = {}): Deed['run'] {
  return ({ bench, client, map }) =>
    nameOf(bench.done(client, { kind, map, key: 'k', value: text.encode(value), ...more }));
}

function nameOf({ outcome, refusal }: Result): string {
  return Code[refusal === 0 ? outcome : refusal];
}

function queried(options: object): Deed['run'] {
  return ({ bench, client, map }) => {
    client.say({ case: 'query', value: { requestId: 1, map, ...options } });
    bench.settle();
    const frames = client.frames.flatMap(({ body }) => (body.case === 'rows' ? [body.value] : []));
    const end = frames.find(({ isDone }) => isDone)!;
    if (end.refusal !== 0) return Code[end.refusal];
    return `${frames.flatMap(({ rows }) => rows).length} rows, ${end.count} in all`;
  };
}

function watching(where: object): Omit<Deed, 'name'> {
  const run: Deed['run'] = ({ bench, client, map }) => {
    const value = { subscriptionId: 1, map, start: StartFrom.SNAPSHOT, ...where };
    client.say({ case: 'subscribe', value });
    bench.settle();
    const error = client.last('error');
    if (error !== undefined) return Code[error.code];
    const slices = client.frames.flatMap(({ body }) =>
      body.case === 'catchUp' ? body.value.slices : [],
    );
    return `${slices.flatMap(({ events }) => events).length} shown`;
  };
  return { needs: ['read', 'subscribe'], done: '1 shown', hidden: '0 shown', run };
}

function hearing(where: object): Omit<Deed, 'name'> {
  const run: Deed['run'] = ({ bench, client, root, map }) => {
    client.say({ case: 'subscribe', value: { subscriptionId: 1, map, ...where } });
    bench.settle();
    const error = client.last('error');
    bench.done(root, { kind: OperationKind.PUT, map, key: 'k', value: RECORD });
    bench.second();
    return error === undefined ? `${client.events.length} heard` : Code[error.code];
  };
  return { needs: ['read', 'subscribe'], done: '1 heard', hidden: '0 heard', run };
}

function grantOf(rights: readonly string[], rows: Rows): object {
  const where = { none: undefined, holds: "owner = 'ann'", fails: "owner = 'bob'" }[rows];
  return { maps: ['*'], rights, ...(where === undefined ? {} : { where }) };
}

/** The same request whoever sends it. */
function merge(bench: PolicedBench, client: SpiedClient, map: string): string {
  const value = text.encode('{"n":9}');
  const operation = { requestId: 9, kind: OperationKind.MERGE, map, key: 'k', value };
  client.say({ case: 'operations', value: { operations: [operation] } });
  bench.settle();
  return nameOf(client.results.at(-1)!);
}

function expected(deed: Deed, rights: readonly string[], rows: Rows): string {
  const { needs, done, hidden, ruled } = deed;
  if (!needs.every((right) => rights.includes(right))) return 'FORBIDDEN';
  if (ruled !== undefined && rows !== 'none') return ruled;
  return rows === 'fails' ? hidden : done;
}

const SUBSETS: string[][] = Array.from({ length: 16 }, (_, bits) =>
  ALL_RIGHTS.filter((_, i) => ((bits >> i) & 1) === 1),
);

t.test('ACCESS-10: every operation needs its right, and its record within the rows', async (t) => {
  const tidy = () => ({ put: { owner: 'ann', n: 2 } });
  const tidyAll = (records: unknown) => (records as unknown[]).map(tidy);
  const processors = [
    { name: 'tidy', run: tidy },
    { name: 'tidyAll', run: tidyAll },
  ];
  const bench = new PolicedBench([], { workers: 2, processors });
  const cursor = { store: STORE, epoch: 42n };
  const root = await bench.member(ROOT);
  let maps = 0;
  for (const deed of DEEDS)
    for (const rights of SUBSETS)
      for (const rows of ROWS) {
        const map = `m${maps++}`;
        bench.done(root, { kind: OperationKind.PUT, map, key: 'k', value: RECORD });
        const grants = rights.length === 0 ? [] : [grantOf(rights, rows)];
        const resumeToken = new Uint8Array(RESUME_TOKEN_BYTES);
        new DataView(resumeToken.buffer).setUint32(0, maps);
        const hello = { cursor, resumeToken };
        if (deed.isResumed) {
          const earlier = await bench.member({ ...ROOT, sub: 'ann' }, hello);
          t.equal(merge(bench, earlier, map), 'APPLIED');
          earlier.close(1000);
        }
        const client = await bench.member({ sub: 'ann', 'tidewire.grants': grants }, hello);
        const told = `${deed.name} by ${rights.join(', ') || 'nobody'}, rows: ${rows}`;
        t.equal(deed.run({ bench, client, root, map }), expected(deed, rights, rows), told);
        client.close(1000);
      }
});
