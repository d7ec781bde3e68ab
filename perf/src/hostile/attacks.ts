import { create, toBinary } from '@bufbuild/protobuf';
import { ClientFrameSchema, OperationKind, StartFrom } from '@tidewire/schemas';
import { MAP } from '../load/operation-template.js';
import { seededRandom } from '../load/random.js';
import { maskedMessage, PONG } from '../load/websocket.js';
import type { HostileCall } from './hostile-call.js';
import type { HostilePlan } from './hostile-plan.js';

/** One way to do harm. */
export interface Attack {
  readonly name: string;
  /** Callers at one time. */
  readonly callers: number;
  /** Between the end of a call and the next. */
  readonly pauseMs: number;
  /** What a call does. The function returned stops it. */
  readonly begin: (call: HostileCall, plan: HostilePlan) => () => void;
}

const TRICKLE_MS = 500;
const FLOOD_MS = 5;
const SIGN_MS = 5000;
const OPERATIONS = 512;
const LARGE_BYTES = 30_000;
/** Beyond what a frame may have, within what the transport takes. */
const OVERSIZED_BYTES = 100_000;
const GARBAGE_BYTES = 2000;
/** How long a call goes on that nobody ends. */
const CALL_MS = 10_000;

const FLOOD_FRAME: Uint8Array = operationsFrame(OPERATIONS, 50);
const LARGE_FRAME: Uint8Array = operationsFrame(2, LARGE_BYTES);
const OVERSIZED_FRAME: Uint8Array = maskedMessage(new Uint8Array(OVERSIZED_BYTES));

export const ATTACKS: readonly Attack[] = [
  { name: 'slow-loris', callers: 100, pauseMs: 50, begin: trickle },
  { name: 'silent after the handshake', callers: 50, pauseMs: 50, begin: stayAway },
  { name: 'handshakes cut off', callers: 20, pauseMs: 20, begin: cutOff },
  { name: 'oversized frames', callers: 4, pauseMs: 50, begin: send(() => OVERSIZED_FRAME) },
  { name: 'garbage', callers: 4, pauseMs: 50, begin: send(garbage) },
  { name: 'flood of small writes', callers: 4, pauseMs: 100, begin: flood(FLOOD_FRAME) },
  { name: 'flood of large writes', callers: 2, pauseMs: 100, begin: flood(LARGE_FRAME) },
  { name: 'stalled readers', callers: 4, pauseMs: 100, begin: stall },
  { name: 'forged tokens', callers: 4, pauseMs: 20, begin: greet((plan) => plan.tokens.forged) },
  { name: 'expired tokens', callers: 4, pauseMs: 20, begin: greet((plan) => plan.tokens.expired) },
  {
    name: 'tokens of alg none',
    callers: 4,
    pauseMs: 20,
    begin: greet((plan) => plan.tokens.unsigned),
  },
  { name: 'key confusion', callers: 4, pauseMs: 20, begin: greet((plan) => plan.tokens.confused) },
];

/** A handshake that comes byte by byte and has no end. */
function trickle(call: HostileCall): () => void {
  const first = 'GET / HTTP/1.1\r\nHost: x\r\nX: ';
  call.socket.on('connect', () => call.write(Buffer.from(first)));
  return every(TRICKLE_MS, () => call.write(Buffer.from('x')));
}

function stayAway(call: HostileCall): () => void {
  call.upgrade(() => {});
  return () => {};
}

function cutOff(call: HostileCall): () => void {
  call.socket.on('connect', () => call.leave());
  return () => {};
}

function greet(tokenOf: (plan: HostilePlan) => string): Attack['begin'] {
  return (call, plan) => {
    call.upgrade(() => call.hello(tokenOf(plan)));
    return () => {};
  };
}

/** One message of these bytes, once it is let in. */
function send(bytesOf: () => Uint8Array): Attack['begin'] {
  return (call, { tokens }) => {
    call.upgrade(() => {
      call.hello(tokens.valid);
      call.onHeard = () => {
        call.write(bytesOf());
        call.onHeard = () => {};
      };
    });
    return () => {};
  };
}

/** As many as the connection takes, heedless of the answers. */
function flood(frame: Uint8Array): Attack['begin'] {
  return (call, { tokens }) => {
    let isWritable = false;
    call.upgrade(() => call.hello(tokens.valid));
    call.onHeard = () => {
      isWritable = true;
      call.onHeard = () => {};
    };
    call.socket.on('drain', () => {
      isWritable = true;
    });
    return every(FLOOD_MS, () => {
      if (isWritable) isWritable = call.write(frame);
    });
  };
}

/** Subscribes, then reads nothing, and shows that it lives. */
function stall(call: HostileCall, { tokens }: HostilePlan): () => void {
  call.upgrade(() => {
    call.hello(tokens.valid);
    const value = { subscriptionId: 1, map: MAP, start: StartFrom.SNAPSHOT };
    call.say({ case: 'subscribe', value });
    call.socket.pause();
  });
  const stop = every(SIGN_MS, () => call.write(maskedMessage(new Uint8Array(0), PONG)));
  const end = setTimeout(() => call.leave(), CALL_MS);
  return () => {
    stop();
    clearTimeout(end);
  };
}

function every(intervalMs: number, action: () => void): () => void {
  const timer = setInterval(action, intervalMs);
  return () => clearInterval(timer);
}

function operationsFrame(count: number, valueBytes: number): Uint8Array {
  const value = Buffer.from(`"${'x'.repeat(valueBytes)}"`);
  const operations = Array.from({ length: count }, (_, i) => ({
    requestId: i + 1,
    kind: OperationKind.PUT,
    map: 'hostile',
    key: `k${i}`,
    value,
  }));
  const frame = create(ClientFrameSchema, { body: { case: 'operations', value: { operations } } });
  return maskedMessage(toBinary(ClientFrameSchema, frame));
}

const random = seededRandom(1);

function garbage(): Uint8Array {
  return maskedMessage(Uint8Array.from({ length: GARBAGE_BYTES }, () => 256 * random()));
}
