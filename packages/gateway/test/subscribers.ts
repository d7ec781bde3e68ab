import type { Event, Slice } from '@tidewire/schemas';
import type { FakeClient } from './fake-transport.js';
import type { ReferenceClient } from './reference-client.js';

/** What the view of this subscription holds, by key; long values shortened. */
export function valuesOf(client: ReferenceClient, id: number): Record<string, string> {
  client.take();
  const states = client.followed.get(id)?.view.states ?? new Map();
  return Object.fromEntries([...states].map(([key, { value }]) => [key, short(value)]));
}

/** Long values as their first letters, so that a difference can be read. */
function short(value: string): string {
  return value.length < 30 ? value : `${value.slice(0, 6).trimEnd()}…${value.length}`;
}

/** The slices that this connection has been sent. */
export function slicesOf(connection: FakeClient): Slice[] {
  return connection.frames.flatMap(({ body }) =>
    body.case === 'catchUp' ? body.value.slices : [],
  );
}

export function sliceEventsOf(connection: FakeClient): Event[] {
  return slicesOf(connection).flatMap(({ events }) => events);
}

/** The kinds of the frames, without the answers to operations. */
export function kindsOf(connection: FakeClient): (string | undefined)[] {
  return connection.frames.map(({ body }) => body.case).filter((kind) => kind !== 'results');
}
