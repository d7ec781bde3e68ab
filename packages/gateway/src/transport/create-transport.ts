import type { Transport, TransportHandlers, TransportOptions } from './transport.js';
import { createUwsTransport, uwsMissing } from './uws-transport.js';
import { createWsTransport } from './ws-transport.js';

export const TRANSPORTS = ['uws', 'ws'] as const;
export type TransportName = (typeof TRANSPORTS)[number];

/**
 * The transport of this name; without a name uWebSockets where it has a binary, else `ws`, told to
 * `onFallback` with the reason.
 */
export async function createTransport<C>(
  name: TransportName | undefined,
  handlers: TransportHandlers<C>,
  options: TransportOptions,
  onFallback: (reason: string) => void,
): Promise<Transport> {
  if (name === 'ws') return await createWsTransport(handlers, options);
  const missing = name === undefined ? await uwsMissing() : undefined;
  if (missing === undefined) return await createUwsTransport(handlers, options);
  onFallback(missing);
  return await createWsTransport(handlers, options);
}
