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
    const steps = this.#writeSteps();
    const writes = steps.length;
    if (world.hasWorkerWork) steps.push({ name: 'hand over', run: () => world.work() });
    if (world.hasEngineWork) steps.push({ name: 'engine', run: () => world.engine() });
    for (let i = 0; i < world.database.count; i++)
      steps.push({ name: `commit ${i}`, run: () => this.#commit(i) });
    if (steps.length === writes && !world.isClean)
      steps.push({ name: 'wait', run: () => world.wait() });
    if (this.#hasCommitted)
      for (let i = 0; i < world.late.length; i++)
        steps.push({ name: `arrive ${i}`, run: () => world.arrive(i) });
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

  async #commit(flush: number): Promise<void> {
    await this.#world.commit(flush);
    this.#hasCommitted = true;
  }

  /** A write is executed alone, or in one turn of the worker with a SAFE one, which hands both over. */
  #writeSteps(): Step[] {
    const [write, next] = this.#writes;
    if (write === undefined) return [];
    const steps = [{ name: `write ${write.ms}`, run: () => this.#write(1) }];
    if (next?.isSafe === true)
      steps.push({ name: `write ${write.ms} and ${next.ms}`, run: () => this.#write(2) });
    return steps;
  }

  async #write(count: number): Promise<void> {
    for (const write of this.#writes.splice(0, count)) this.#world.send(write);
    await this.#world.work();
  }

  #faultSteps(): Step[] {
    const steps: Step[] = [];
    for (const fault of this.#faults)
      for (let flush = 0; flush < this.#placesOf(fault); flush++)
        steps.push({ name: `${fault} ${flush}`, run: () => this.#befall(fault, flush) });
    return steps;
  }

  /** How many things it can befall now. */
  #placesOf(fault: Fault): number {
    const { count } = this.#world.database;
    if (fault === 'kill worker') return Number(this.#world.isAsked);
    if (fault === 'kill thread') return Number(count > 0 || this.#world.isAsked);
    if (fault === 'crash') return Number(count > 0 || !this.#world.isClean);
    return fault === 'crash late' ? Number(count > 0) : count;
  }

  async #befall(fault: Fault, flush: number): Promise<void> {
    this.#faultsLeft--;
    switch (fault) {
      case 'fail':
        return await this.#world.fail(flush);
      case 'lose':
        return await this.#world.lose(flush);
      case 'delay':
        return await this.#world.delay(flush);
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
