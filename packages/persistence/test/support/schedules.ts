import type { Write } from './client.js';
import { type Arena, type Build, Violation, World } from './world.js';

/** What may happen beside what must. */
export type Fault =
  /** The flush fails without effect. */
  | 'fail'
  /** It fails and has taken effect. */
  | 'lose'
  /** It fails and takes effect at some later time. */
  | 'delay'
  /** The worker's thread dies between two turns. */
  | 'kill worker'
  /** The persistence thread dies; its statement is still on its way. */
  | 'kill thread'
  /** The process dies, before or after its statement. */
  | 'crash'
  | 'crash late';

export interface History {
  readonly writes: readonly Write[];
  readonly faults: readonly Fault[];
  /** Most faults of one schedule. */
  readonly faultsMax: number;
  readonly batchRecords: number;
}

/**
 * Runs every schedule of a history: all orders in which the writes are executed, handed over and
 * committed, with every fault at every moment. Returns their number; throws the first Violation, with the
 * schedule that led to it.
 */
export async function everySchedule(
  arena: Arena,
  history: History,
  build?: Build,
): Promise<number> {
  const choices = new Choices();
  let schedules = 0;
  do {
    choices.begin();
    await runSchedule(arena, history, choices, build);
    schedules++;
  } while (choices.next());
  return schedules;
}

async function runSchedule(
  arena: Arena,
  history: History,
  choices: Choices,
  build: Build | undefined,
): Promise<void> {
  const { batchRecords } = history;
  const world = await World.begin({ arena, batchRecords, ...(build && { build }) });
  const course = new Course(world, history);
  const taken: string[] = [];
  try {
    for (;;) {
      const steps = course.steps();
      if (steps.length === 0) break;
      const step = steps[choices.pick(steps.length)];
      taken.push(step.name);
      await course.take(step);
    }
    await course.end();
  } catch (error) {
    if (error instanceof Violation) error.message += ` (${taken.join(', ')})`;
    throw error;
  }
}

interface Step {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** What may happen next in a world, by its history. */
class Course {
  readonly #world: World;
  readonly #writes: Write[];
  readonly #faults: readonly Fault[];
  #faultsLeft: number;
  /** By the last step. What is late arrives behind a commit, or at the end: earlier it is as 'lose'. */
  #hasCommitted = false;

  constructor(world: World, { writes, faults, faultsMax }: History) {
    this.#world = world;
    this.#writes = [...writes];
    this.#faults = faults;
    this.#faultsLeft = faultsMax;
  }

  steps(): Step[] {
    const world = this.#world;
    const steps: Step[] = [];
    const write = this.#writes[0];
    if (write !== undefined) steps.push({ name: `write ${write.ms}`, run: () => this.#write() });
    if (world.isAsked) steps.push({ name: 'hand over', run: () => world.work() });
    if (world.hasEngineWork) steps.push({ name: 'engine', run: () => world.engine() });
    if (world.database.isHeld) steps.push({ name: 'commit', run: () => this.#commit() });
    const isIdle = steps.length === (write === undefined ? 0 : 1);
    if (isIdle && !world.isClean) steps.push({ name: 'wait', run: () => world.wait() });
    if (this.#hasCommitted && world.late.length > 0)
      steps.push({ name: 'arrive', run: () => world.arrive() });
    if (steps.length > 0 && this.#faultsLeft > 0) steps.push(...this.#faultSteps());
    return steps;
  }

  async take(step: Step): Promise<void> {
    this.#hasCommitted = false;
    await step.run();
  }

  async end(): Promise<void> {
    await this.#world.quiesce();
    while (this.#world.late.length > 0) await this.#world.arrive();
    await this.#world.requireWhole();
  }

  async #commit(): Promise<void> {
    await this.#world.commit();
    this.#hasCommitted = true;
  }

  async #write(): Promise<void> {
    const write = this.#writes.shift();
    if (write !== undefined) await this.#world.change(write);
  }

  #faultSteps(): Step[] {
    return this.#faults
      .filter((fault) => this.#canBefall(fault))
      .map((name) => ({
        name,
        run: async () => {
          this.#faultsLeft--;
          await this.#befall(name);
        },
      }));
  }

  #canBefall(fault: Fault): boolean {
    const { isHeld } = this.#world.database;
    if (fault === 'kill worker') return this.#world.isAsked;
    if (fault === 'kill thread') return isHeld || this.#world.isAsked;
    if (fault === 'crash') return isHeld || !this.#world.isClean;
    return isHeld;
  }

  async #befall(fault: Fault): Promise<void> {
    switch (fault) {
      case 'fail':
        return await this.#world.fail();
      case 'lose':
        return await this.#world.lose();
      case 'delay':
        return await this.#world.delay();
      case 'kill worker':
        return await this.#world.killWorker();
      case 'kill thread':
        return await this.#world.killThread();
      default:
        return await this.#world.crash(fault === 'crash late');
    }
  }
}

/** Goes through all sequences of choices, the last one varying fastest. */
class Choices {
  readonly #taken: { index: number; count: number }[] = [];
  #depth = 0;

  begin(): void {
    this.#depth = 0;
  }

  pick(count: number): number {
    if (this.#depth === this.#taken.length) this.#taken.push({ index: 0, count });
    const choice = this.#taken[this.#depth++];
    if (choice.count !== count) throw new Error('a schedule does not repeat itself');
    return choice.index;
  }

  /** False if there is none left. */
  next(): boolean {
    for (;;) {
      const last = this.#taken.at(-1);
      if (last === undefined) return false;
      if (++last.index < last.count) return true;
      this.#taken.pop();
    }
  }
}
