import { fromBinary } from '@bufbuild/protobuf';
import {
  AckLevel,
  type ClientFrame,
  ClientFrameSchema,
  OperationKind,
  ValueKind,
} from '@tidewire/schemas';
import t from 'tap';
import { KeySource } from '#lib/load/distribution.js';
import { OperationEncoder } from '#lib/load/operation-encoder.js';
import { OperationMix } from '#lib/load/operation-mix.js';
import { valueText } from '#lib/load/operation-template.js';
import type { LoadPlan } from '#lib/load/plan.js';

const PLAN: LoadPlan = {
  dialect: 'tidewire',
  port: 1,
  connections: 1,
  window: 64,
  operationsPerFrame: 3,
  keys: 1 << 20,
  distribution: 'sequential',
  firstKey: 0,
  getShare: 0,
  modifyShare: 0,
  valueBytes: 100,
  stamped: true,
  safe: true,
  subscribers: 0,
  subscription: 'map',
  predicates: 0,
  seed: 1,
  token: '',
};

function encode(plan: LoadPlan, request: number, start: number): ClientFrame {
  const keys = new KeySource({
    distribution: 'sequential',
    ranks: new Uint32Array(0),
    start,
    keys: 1,
    connection: 0,
    connections: 1,
  });
  const encoder = new OperationEncoder(plan, new OperationMix(plan, { keys, connection: 0 }));
  const target = Buffer.alloc(4096);
  const clock = { ms: 1_700_000_000_123, counter: 0xfffe };
  const length = encoder.encode(target, 7, request, clock);
  t.equal(target[7], 0x82, 'a binary message');
  const header = target[8] === (0x80 | 126) ? 8 : 6;
  t.same([...target.subarray(7 + header - 4, 7 + header)], [0, 0, 0, 0], 'the masking key is zero');
  return fromBinary(ClientFrameSchema, target.subarray(7 + header, 7 + length));
}

t.test('PERF-18: a frame made by overwriting a template reads back as meant', async (t) => {
  for (const [request, key] of [
    [0, 0],
    [12_345_678, 0xabcde],
    [(1 << 27) - 3, 77],
  ]) {
    const frame = encode(PLAN, request, key);
    t.equal(frame.clock, (1_700_000_000_123n << 16n) | 0xffffn);
    const operations = frame.body.case === 'operations' ? frame.body.value.operations : [];
    t.equal(operations.length, 3);
    operations.forEach((operation, index) => {
      const number = request + index;
      t.equal(operation.requestId, (1 << 21) + number);
      t.equal(operation.key, `key:${(key + index).toString(16).padStart(12, '0')}`);
      t.equal(operation.key.length, 16);
      t.equal(operation.kind, OperationKind.PUT);
      t.equal(operation.ackLevel, AckLevel.SAFE);
      t.equal(operation.valueKind, ValueKind.JSON);
      t.equal(operation.stamp, (1_700_000_000_124n << 16n) | BigInt(index), 'the counter carries');
      const text = Buffer.from(operation.value).toString();
      t.equal(text, valueText(100, number.toString(16).padStart(8, '0')));
      t.equal(text.length, 100);
    });
  }
});

t.test('PERF-18: gets carry no value, unstamped puts no stamp', async (t) => {
  const get = encode({ ...PLAN, getShare: 1 }, 5, 9);
  const [first] = get.body.case === 'operations' ? get.body.value.operations : [];
  t.match(first, { kind: OperationKind.GET, stamp: 0n, requestId: (1 << 21) + 5 });
  t.equal(first.value.length, 0);
  const put = encode({ ...PLAN, stamped: false }, 5, 9);
  const [plain] = put.body.case === 'operations' ? put.body.value.operations : [];
  t.equal(plain.stamp, 0n);
});

t.test("PERF-81: the numbers in a value are its key's", async (t) => {
  const frame = encode({ ...PLAN, predicates: 10, operationsPerFrame: 1 }, 5, 4321);
  const [put] = frame.body.case === 'operations' ? frame.body.value.operations : [];
  const text = Buffer.from(put.value).toString();
  t.equal(text.length, 100);
  t.match(JSON.parse(text), { n: 1_004_321, a: 1_000_000 + (4321 % 1), b: 1_000_000 + (4321 % 4) });
});
