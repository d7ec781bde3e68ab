/** For whoever asks workers: the thread that embeds the pool, or a gateway on top of it. */

export * from './front/control-records.js';
export * from './front/heard-changes.js';
export * from './front/interest.js';
export * from './front/known-topic.js';
export { MAPS_OF_ONE_FULL, type MapMaker } from './front/new-maps.js';
export * from './front/outbound-reader.js';
export * from './front/partition-service.js';
export * from './front/record-name.js';
export * from './front/topic-register.js';
export * from './front/update-fields.js';
export type { Verdict } from './front/verdicts.js';
export * from './front/worker-requests.js';
