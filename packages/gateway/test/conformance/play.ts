import type { Test } from 'tap';
import { createUwsTransport } from '#lib/transport/uws-transport.js';
import { createWsTransport } from '#lib/transport/ws-transport.js';
import type { CreateTransport } from '../served.js';
import { type Case, type Group, type Name, outcomeOf, serveEchoes } from './conformance.js';
import { connectionGroups } from './connection-cases.js';
import { framingGroups } from './framing-cases.js';
import { messageGroups } from './message-cases.js';

export const GROUPS: readonly Group[] = [...framingGroups, ...messageGroups, ...connectionGroups];

const CREATORS: Readonly<Record<Name, CreateTransport>> = {
  uws: createUwsTransport,
  ws: createWsTransport,
};

/** Plays every case against a transport, one after another, and notes the outcomes. */
export async function playAll(
  t: Pick<Test, 'teardown'>,
  name: Name,
  outcomes: Map<Case, Partial<Record<Name, string>>>,
): Promise<void> {
  const served = await serveEchoes(t, CREATORS[name]);
  for (const play of GROUPS.flatMap(({ cases }) => cases))
    outcomes.set(play, { ...outcomes.get(play), [name]: await outcomeOf(play, served.port) });
}
