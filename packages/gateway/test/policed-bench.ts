import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { ClientFrameSchema, type OperationSchema, type Result } from '@tidewire/schemas';
import type { AccessRules } from '#lib/access/authentication.js';
import { readPolicy } from '#lib/access/policy.js';
import type { Sent } from '#lib/transport/transport.js';
import { TestBench } from './bench.js';
import { FakeClient } from './fake-transport.js';

export const ALL_RIGHTS = ['read', 'write', 'subscribe', 'execute'];
/** Whoever has this role may do everything. */
export const ROOT = { sub: 'root', roles: ['root'] };

/** A client that keeps every byte it was sent. */
export class SpiedClient extends FakeClient {
  readonly heard: Uint8Array[] = [];

  override send(bytes: Uint8Array): Sent {
    this.heard.push(bytes.slice());
    return super.send(bytes);
  }

  /** Whether anything it was sent contains this text. */
  hasHeard(text: string): boolean {
    const bytes = Buffer.from(text);
    return this.heard.some((frame) => Buffer.from(frame).includes(bytes));
  }
}

/** A gateway with a policy; a token is the JSON of its claims. */
export class PolicedBench extends TestBench {
  #requests = 0;

  constructor(
    grants: object[],
    options: Omit<NonNullable<ConstructorParameters<typeof TestBench>[0]>, 'access'> = {},
  ) {
    super({ ...options, access: accessBy(grants) });
  }

  async member(claims: object, hello: object = {}): Promise<SpiedClient> {
    const client = new SpiedClient(this.gateway, this.topics);
    const value = { protocolVersion: 1, node: 7, token: JSON.stringify(claims), ...hello };
    client.sayBytes(
      toBinary(ClientFrameSchema, create(ClientFrameSchema, { body: { case: 'hello', value } })),
    );
    await new Promise((resolve) => setImmediate(resolve));
    return client;
  }

  /** Has an operation carried out. Returns its answer. */
  done(client: FakeClient, operation: MessageInitShape<typeof OperationSchema>): Result {
    const requestId = ++this.#requests;
    client.say({ case: 'operations', value: { operations: [{ ...operation, requestId }] } });
    this.settle();
    return client.results.find((result) => result.requestId === requestId) as Result;
  }
}

function accessBy(grants: object[]): AccessRules {
  const root = { roles: ['root'], maps: ['*'], rights: ALL_RIGHTS };
  return {
    policy: readPolicy({ grants: [root, ...grants] }),
    verify: async (token) => ({
      validUntilMs: Number.POSITIVE_INFINITY,
      all: JSON.parse(token) as Record<string, unknown>,
    }),
  };
}
