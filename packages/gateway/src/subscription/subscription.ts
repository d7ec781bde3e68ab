import type { Session } from '../session/session.js';
import type { CatchUp } from './catch-up.js';
import type { CatchUpPlan } from './catch-up-plan.js';
import type { ConflatedFeed } from './conflation.js';
import type { Published } from './progress.js';
import type { Topic } from './topic.js';

/**
 * One subscription of a session. It waits until its topic is live and its session reads, has joined
 * from then on, and is complete once nothing is left of its plan.
 */
export interface Subscription {
  readonly id: number;
  readonly session: Session;
  readonly topic: Topic;
  /** Undefined: hears every event. */
  readonly conflated: ConflatedFeed | undefined;
  /** Name of its map if nobody had written it: counted with its principal. */
  readonly unwritten: string | undefined;
  /** Its session may not see every record of the map. */
  readonly isRestricted: boolean;
  /** Subscribed has been sent. */
  isAnnounced: boolean;
  isJoined: boolean;
  /** What it has still to be sent; undefined: it is complete. */
  plan: CatchUpPlan | undefined;
  catchUp: CatchUp | undefined;
  /** When it was complete last, everything up to here had been sent. */
  since: Published | undefined;
}
