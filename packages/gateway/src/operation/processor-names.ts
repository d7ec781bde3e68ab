import { Code, DETAIL_BYTES_MAX } from '@tidewire/core';
import { OperationRefusal } from './operation-refusal.js';

/** Characters of a name that nobody knows that are repeated. */
const NAME_CHARACTERS_MAX = 32;
const NONE: OperationRefusal = new OperationRefusal(
  Code.FORBIDDEN,
  'This server was started without --processors: it executes none.',
);

/** The processors that clients may execute, in the order of their numbers. */
export class ProcessorNames {
  readonly #numbers: ReadonlyMap<string, number>;

  constructor(names: readonly string[] = []) {
    this.#numbers = new Map(names.map((name, number) => [name, number]));
  }

  /** The number of the processor of this name, or a refusal that says which there are. */
  numberOf(name: string): number | OperationRefusal {
    if (this.#numbers.size === 0) return NONE;
    return this.#numbers.get(name) ?? this.#unknown(name);
  }

  #unknown(name: string): OperationRefusal {
    const shown =
      name.length <= NAME_CHARACTERS_MAX ? name : `${name.slice(0, NAME_CHARACTERS_MAX)}…`;
    const begin = `There is no processor "${shown}"`;
    const all = `${begin}; there are: ${[...this.#numbers.keys()].join(', ')}.`;
    const isShort = Buffer.byteLength(all) <= DETAIL_BYTES_MAX;
    const sentence = isShort ? all : `${begin} among the ${this.#numbers.size} of this server.`;
    return new OperationRefusal(Code.INVALID, sentence);
  }
}
