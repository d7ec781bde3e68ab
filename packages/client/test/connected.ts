import type { MessageInitShape } from '@bufbuild/protobuf';
import { Code, packStamp } from '@tidewire/core';
import { Level, type LimitsSchema, type Operation, type ResultSchema } from '@tidewire/schemas';
import { type Client, type ClientOptions, connect } from '#lib/client.js';
import { FakeEnvironment, settled } from './fake-environment.js';
import type { FakeSocket } from './fake-socket.js';

export interface Connected {
  readonly client: Client;
  readonly environment: FakeEnvironment;
}

/** A client that a fake server has just welcomed. */
export async function connected(
  limits: MessageInitShape<typeof LimitsSchema> = {},
  options: ClientOptions = {},
): Promise<Connected> {
  const environment = new FakeEnvironment();
  const opening = connect('ws://server:7271', { environment, ...options });
  environment.socket.welcome(limits);
  return { client: await opening, environment };
}

/** The connection is lost and a new one welcomed. */
export function reconnect(
  environment: FakeEnvironment,
  welcome: Parameters<FakeSocket['welcome']>[1] = {},
): void {
  environment.socket.drop();
  environment.pass(10_000);
  environment.socket.welcome({}, welcome);
}

/** A server's answer that the write was applied. */
export function applied(
  operation: Pick<Operation, 'requestId'>,
  more: MessageInitShape<typeof ResultSchema> = {},
): MessageInitShape<typeof ResultSchema> {
  return {
    requestId: operation.requestId,
    outcome: Code.APPLIED,
    level: Level.MEMORY,
    partition: 85,
    sequence: 12n,
    stamp: packStamp(5_000_000, 1),
    node: 0xabcdef,
    ...more,
  };
}

/** What the promise rejects with, once everything resolved has run on. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  const reason = promise.then(
    () => 'resolved',
    (error: unknown) => error,
  );
  return Promise.race([
    reason,
    settled()
      .then(settled)
      .then(() => 'pending'),
  ]);
}
