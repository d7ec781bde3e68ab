/** For Node, whose version 20 has no `WebSocket`: brings `ws`. Everything else is the same. */
import { WebSocket } from 'ws';
import { type Client, type ClientOptions, connect as connectBy } from './client.js';

export * from './index.js';

/** Like `connect` of the browser entry, over `ws` unless `options` name another WebSocket. */
export function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  return connectBy(url, { WebSocket, ...options });
}
