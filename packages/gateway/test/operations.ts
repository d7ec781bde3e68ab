import { FRAME_BYTES_MAX } from '@tidewire/core';
import { OperationKind } from '@tidewire/schemas';
import type { FakeClient } from './fake-transport.js';

const text = new TextEncoder();
let requests = 0;

export const put = (key: string, value: string, more: object = {}): object => ({
  requestId: ++requests,
  kind: OperationKind.PUT,
  map: 'users',
  key,
  value: text.encode(value),
  ...more,
});

export const remove = (key: string, map = 'users'): object => ({
  requestId: ++requests,
  kind: OperationKind.REMOVE,
  map,
  key,
});

/** Writes in as many frames as it takes. REQUIRES: no more operations than may be in flight. */
export function write(client: FakeClient, ...operations: object[]): void {
  let frame: object[] = [];
  let bytes = 0;
  for (const operation of operations) {
    const length = 200 + ('value' in operation ? (operation.value as Uint8Array).length : 0);
    if (bytes + length > FRAME_BYTES_MAX) {
      client.say({ case: 'operations', value: { operations: frame } });
      frame = [];
      bytes = 0;
    }
    frame.push(operation);
    bytes += length;
  }
  client.say({ case: 'operations', value: { operations: frame } });
}
