export type { ClientOperation, OperationOptions, RecordPlace } from './client-operation.js';
export * from './coordinator.js';
export { shouldApply } from './execute/conflict.js';
export {
  type Change,
  type GroupContext,
  type GroupProcessor,
  loadProcessors,
  type NamedProcessor,
  type ProcessedRecord,
  type Processor,
  type ProcessorContext,
} from './execute/processor.js';
export * from './partition-pool.js';
export { PersistenceQueue } from './persistence-queue.js';
export * from './pool-error.js';
export type { PoolOptions } from './pool-options.js';
export type { PoolStore, StoreEvent, StoreListener } from './pool-store.js';
export type { PoolSubscription, SubscribeOptions } from './pool-subscriptions.js';
export type { EventHandler } from './pool-topic.js';
export type {
  EntryEvent,
  EntryEventKind,
  OperationResult,
  Partition,
  Record,
  Stamp,
} from './record.js';
export * from './worker.js';
export * from './worker-threads.js';
