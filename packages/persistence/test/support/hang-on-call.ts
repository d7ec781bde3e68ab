/**
 * Preload of threads that can be made to hang from outside: one that is told HANG over the channel says
 * HUNG and takes no turn any more. The product has no hook for this.
 */
import { BroadcastChannel, isMainThread } from 'node:worker_threads';

export const CHANNEL = 'tidewire-hang';
export const HANG = 'hang';
export const HUNG = 'hung';

if (!isMainThread) {
  const channel = new BroadcastChannel(CHANNEL);
  channel.unref();
  channel.onmessage = (message): void => {
    if ((message as MessageEvent).data !== HANG) return;
    channel.postMessage(HUNG);
    for (;;);
  };
}
