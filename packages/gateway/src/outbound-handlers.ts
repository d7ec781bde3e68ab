import type { OutboundHandlers, PartitionService } from '@tidewire/partition-worker/front';
import type { AnswerBatch } from './operation/answer-batch.js';
import type { ConnectionManager } from './session/connection-manager.js';
import type { Session } from './session/session.js';
import type { StreamDesk } from './stream/stream-desk.js';
import type { SubscriptionService } from './subscription/subscription-service.js';
import type { CensusDesk } from './telemetry/census-desk.js';

/** Brings what workers say to whom it is for. */
export function outboundHandlers(parts: {
  readonly connections: ConnectionManager;
  readonly answers: AnswerBatch;
  readonly partitions: PartitionService;
  readonly subscriptions: SubscriptionService;
  readonly queryStreams: StreamDesk;
  readonly census: CensusDesk;
  /** A worker has not permitted an operation of this kind. */
  readonly onForbidden: (session: Session, mapId: number, kind: number) => void;
}): OutboundHandlers {
  const { connections, answers, partitions, subscriptions, queryStreams, census } = parts;
  return {
    onForbidden: (id, mapId, kind) => {
      const session = connections.find(id);
      if (session !== undefined) parts.onForbidden(session, mapId, kind);
    },
    onResult: (id, bytes, offset, length) => {
      const session = connections.answered(id);
      if (session !== undefined) answers.append(session, bytes, offset, length);
    },
    onVerdict: (worker, position, outcome) => partitions.onVerdict(worker, position, outcome),
    onEvent: (words, bytes, at) => subscriptions.onEvent(words, bytes, at),
    onSlice: (words, bytes, at) => subscriptions.onSlice(words, bytes, at),
    onRows: (words, bytes, at) => queryStreams.onRecord(words, bytes, at),
    onCensus: (worker, words, at) => census.onCensus(worker, words, at),
    onProgress: (worker, words, at) => subscriptions.onProgress(worker, words, at),
    onSubscribed: (worker, topic) => subscriptions.onSubscribed(worker, topic),
  };
}
