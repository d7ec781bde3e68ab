import { MAPS_A_PRINCIPAL_MAX } from '@tidewire/core';
import { type MAPS_FULL, type MapTable, NO_MAP } from '@tidewire/core/threads';

/** Whoever may make only so many maps. */
export interface MapMaker {
  /** Maps that it has made, or that a write of it under way may make. */
  maps: number;
}

/** `begin`: the maker has made as many maps as one may. */
export const MAPS_OF_ONE_FULL = -4;

/**
 * Maps that nobody has written, while first writes into them are under way. The map gets its id for good
 * with the first one that is applied; if all are refused the id is free again, and nobody has made a map.
 */
export class NewMaps {
  readonly #table: MapTable;
  /** By the id of the map: the writes under way, by who sent them. */
  readonly #writes: Map<number, Map<MapMaker | undefined, number>> = new Map();

  constructor(table: MapTable) {
    this.#table = table;
  }

  /** Id of the map that is about to be written, or MAPS_FULL, or MAPS_OF_ONE_FULL. Ended by `end`. */
  begin(
    bytes: Uint8Array,
    offset: number,
    length: number,
    maker: MapMaker | undefined,
  ): number | typeof MAPS_FULL | typeof MAPS_OF_ONE_FULL {
    const known = this.#table.idOf(bytes, offset, length);
    if (known !== NO_MAP && !this.has(known)) return known;
    const isCounted = this.#writes.get(known)?.has(maker) ?? false;
    if (maker !== undefined && !isCounted && maker.maps >= MAPS_A_PRINCIPAL_MAX)
      return MAPS_OF_ONE_FULL;
    const id = this.#table.lendToWriter(bytes, offset, length);
    if (id < 0) return id;
    const writes = this.#writes.get(id) ?? new Map<MapMaker | undefined, number>();
    this.#writes.set(id, writes.set(maker, (writes.get(maker) ?? 0) + 1));
    if (!isCounted) count(maker, 1);
    return id;
  }

  get count(): number {
    return this.#writes.size;
  }

  /** Nobody has written this map yet. */
  has(id: number): boolean {
    return this.#writes.size > 0 && this.#writes.has(id);
  }

  /** A write that was begun has been applied, or not. */
  end(id: number, maker: MapMaker | undefined, isApplied: boolean): void {
    const writes = this.#writes.get(id);
    if (writes === undefined) return; // another one has made the map meanwhile
    if (isApplied) {
      this.#table.keep(id);
      this.#writes.delete(id);
      for (const other of writes.keys()) if (other !== maker) count(other, -1);
      return;
    }
    const left = (writes.get(maker) ?? 0) - 1;
    writes.set(maker, left);
    if (left > 0) return;
    writes.delete(maker);
    count(maker, -1);
    if (writes.size > 0) return;
    this.#writes.delete(id);
    this.#table.giveBackByWriter(id);
  }
}

function count(maker: MapMaker | undefined, change: 1 | -1): void {
  if (maker !== undefined) maker.maps += change;
}
