import { CATCH_UP_RESUME, CATCH_UP_SNAPSHOT } from '@tidewire/core/threads';

/** From where a subscription catches up, in each partition. */
export interface CatchUpPlan {
  /** CATCH_UP_RESUME or CATCH_UP_SNAPSHOT. */
  modeOf(partition: number): number;
  cursorOf(partition: number): number;
}

export const SNAPSHOT_PLAN: CatchUpPlan = {
  modeOf: () => CATCH_UP_SNAPSHOT,
  cursorOf: () => 0,
};

/** What has changed after these sequences, of all partitions. */
export function planAfter(sequences: Float64Array): CatchUpPlan {
  return { modeOf: () => CATCH_UP_RESUME, cursorOf: (partition) => sequences[partition] };
}

/** A key, if it does not have this sequence any more. */
export function keyPlanAfter(sequence: number): CatchUpPlan {
  return { modeOf: () => CATCH_UP_RESUME, cursorOf: () => sequence };
}

/** As `plan`, but some partitions have been caught up to these sequences. */
export function planBeyond(plan: CatchUpPlan, reached: ReadonlyMap<number, number>): CatchUpPlan {
  return new PlanBeyond(plan, reached);
}

class PlanBeyond implements CatchUpPlan {
  readonly #plan: CatchUpPlan;
  readonly #reached: ReadonlyMap<number, number>;

  constructor(plan: CatchUpPlan, reached: ReadonlyMap<number, number>) {
    const isNested = plan instanceof PlanBeyond; // no chain, however often it is interrupted
    this.#plan = isNested ? plan.#plan : plan;
    this.#reached = isNested ? new Map([...plan.#reached, ...reached]) : reached;
  }

  modeOf(partition: number): number {
    return this.#reached.has(partition) ? CATCH_UP_RESUME : this.#plan.modeOf(partition);
  }

  cursorOf(partition: number): number {
    return this.#reached.get(partition) ?? this.#plan.cursorOf(partition);
  }
}
