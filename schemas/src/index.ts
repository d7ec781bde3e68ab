export * from './gen/tidewire/v1/client_pb.js';
export * from './gen/tidewire/v1/code_pb.js';
export * from './gen/tidewire/v1/predicate_pb.js';
export * from './gen/tidewire/v1/server_pb.js';
export * from './gen/tidewire/v1/value_pb.js';
