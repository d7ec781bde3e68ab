import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { packStamp } from '@tidewire/core';
import {
  type ClientFrame,
  ClientFrameSchema,
  type LimitsSchema,
  type Operation,
  type ResultSchema,
  ServerFrameSchema,
  type Welcome,
} from '@tidewire/schemas';
import type { Socket } from '#lib/environment.js';

type Body = MessageInitShape<typeof ServerFrameSchema>['body'];
type ResultInit = MessageInitShape<typeof ResultSchema>;

export const LIMITS = {
  frameBytesMax: 65_536,
  frameOperationsMax: 1024,
  mapBytesMax: 128,
  keyBytesMax: 1024,
  valueBytesMax: 32_768,
  inFlightMax: 1024,
  subscriptionsMax: 1000,
  heartbeatIntervalMs: 15_000,
  heartbeatTimeoutMs: 40_000,
  driftMsMax: 5000,
  predicateBytesMax: 8192,
  predicateNodesMax: 64,
  predicateDepthMax: 16,
  queriesMax: 16,
  queryRowsMax: 10_000,
} as const;

export const STORE = 99n;
export const EPOCH = 7n;
export const MEMORY = 70n;
export const SALT: Uint8Array<ArrayBuffer> = Uint8Array.from({ length: 16 }, (_, i) => i);

/** The server's end of a connection, played by a test. */
export class FakeSocket implements Socket {
  readonly url: string;
  binaryType = 'blob';
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  readonly frames: ClientFrame[] = [];
  closedWith: number | undefined;
  isPaused = false;
  /** Operations that a test has answered, for its own use. */
  answered = 0;
  serverMs = 5_000_000;

  constructor(url: string) {
    this.url = url;
  }

  send(data: Uint8Array): void {
    this.frames.push(fromBinary(ClientFrameSchema, data));
  }

  close(code?: number): void {
    this.closedWith = code ?? 1005;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  /** All operations received so far, frame by frame. */
  get batches(): Operation[][] {
    return this.frames.flatMap(({ body }) =>
      body.case === 'operations' ? [body.value.operations] : [],
    );
  }

  get operations(): Operation[] {
    return this.batches.flat();
  }

  bodies(kind: NonNullable<ClientFrame['body']['case']>): ClientFrame['body'][] {
    return this.frames.map(({ body }) => body).filter((body) => body.case === kind);
  }

  open(): void {
    (this.onopen as ((event: object) => void) | null)?.({});
  }

  welcome(
    limits: MessageInitShape<typeof LimitsSchema> = {},
    more: Partial<
      Pick<Welcome, 'epoch' | 'store' | 'salt' | 'validUntilMs' | 'holdsPresence' | 'memory'>
    > = {},
  ): void {
    this.open();
    this.push({
      case: 'welcome',
      value: {
        protocolVersion: 1,
        epoch: EPOCH,
        serverVersion: '9.9.9',
        store: STORE,
        salt: SALT,
        memory: MEMORY,
        limits: { ...LIMITS, ...limits } as MessageInitShape<typeof LimitsSchema>,
        ...more,
      },
    });
  }

  push(body: Body, clock: bigint = packStamp(this.serverMs, 0)): void {
    const frame = create(ServerFrameSchema, { clock, body } as MessageInitShape<
      typeof ServerFrameSchema
    >);
    this.pushRaw(toBinary(ServerFrameSchema, frame).buffer);
  }

  pushRaw(data: unknown): void {
    (this.onmessage as ((event: { data: unknown }) => void) | null)?.({ data });
  }

  answer(...results: ResultInit[]): void {
    this.push({ case: 'results', value: { results } });
  }

  /** The connection ends from the other side. */
  drop(code = 1006, reason = ''): void {
    (this.onclose as ((event: object) => void) | null)?.({ code, reason });
  }

  trouble(message: string): void {
    (this.onerror as ((event: object) => void) | null)?.({ message });
  }
}
