import { fromBinary } from '@bufbuild/protobuf';
import { Code } from '@tidewire/core';
import { ClientFrameSchema, ServerFrameSchema } from '@tidewire/schemas';
import t from 'tap';
import { KeySource } from '#lib/load/distribution.js';
import { OperationEncoder } from '#lib/load/operation-encoder.js';
import { OperationMix } from '#lib/load/operation-mix.js';
import { planOf } from '#lib/measure/targets.js';
import { PublishFrames, requestOf, SUBSCRIBED, WELCOME } from '#lib/scenarios/publish-frames.js';

const HEADER_BYTES = 8;
const PLAN = planOf({ distribution: 'sequential' }, { dialect: 'tidewire', port: 1 });

/** Bodies of the generator's messages of one put each. */
function messages(count: number): Uint8Array[] {
  const keys = new KeySource({
    distribution: 'sequential',
    ranks: new Uint32Array(0),
    start: 5,
    keys: 1,
    connection: 0,
    connections: 1,
  });
  const encoder = new OperationEncoder(PLAN, new OperationMix(PLAN, { keys, connection: 0 }));
  return Array.from({ length: count }, (_, request) => {
    const target = new Uint8Array(1024);
    const length = encoder.encode(target, 0, request, { ms: 1_700_000_000_000, counter: 1 });
    return target.subarray(HEADER_BYTES, length);
  });
}

t.test(
  'PERF-46: the raw publisher says what a server says: same answers, same events',
  async (t) => {
    const frames = new PublishFrames(PLAN.valueBytes);
    t.equal(frames.take(), undefined);
    const puts = messages(3);
    for (const message of puts) {
      t.equal(requestOf(message), 'put');
      const sent = operationOf(message);
      const { body } = fromBinary(ServerFrameSchema, frames.resultOf(message));
      t.match(body.value, { results: [{ outcome: Code.APPLIED, requestId: sent.requestId }] });
      frames.append(message);
    }
    const { body } = fromBinary(ServerFrameSchema, frames.take() ?? new Uint8Array(0));
    if (body.case !== 'events') throw new Error(`events were expected, not ${body.case}`);
    t.equal(body.value.topic, 1);
    for (const [index, event] of body.value.events.entries()) {
      const sent = operationOf(puts[index]);
      t.equal(event.key, sent.key);
      t.same(Buffer.from(event.value), Buffer.from(sent.value));
      if (index > 0) t.equal(event.sequence, body.value.events[index - 1].sequence + 1n);
    }
    t.equal(body.value.events.length, 3);
  },
);

t.test('PERF-47: the raw publisher fills a frame and begins the next', async (t) => {
  const frames = new PublishFrames(PLAN.valueBytes);
  const [message] = messages(1);
  let appended = 0;
  for (; frames.hasRoom; appended++) frames.append(message);
  const full = frames.take() ?? new Uint8Array(0);
  t.ok(full.length > 64 * 1024 - 256 && full.length <= 64 * 1024 + 16);
  const { body } = fromBinary(ServerFrameSchema, full);
  t.equal(body.case === 'events' && body.value.events.length, appended);
  t.ok(frames.hasRoom);
  t.equal(fromBinary(ServerFrameSchema, WELCOME).body.case, 'welcome');
  t.equal(fromBinary(ServerFrameSchema, SUBSCRIBED).body.case, 'subscribed');
});

function operationOf(message: Uint8Array): { requestId: number; key: string; value: Uint8Array } {
  const { body } = fromBinary(ClientFrameSchema, message);
  if (body.case !== 'operations') throw new Error(`a put was expected, not ${body.case}`);
  return body.value.operations[0];
}
