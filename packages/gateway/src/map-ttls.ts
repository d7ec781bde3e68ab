import { MAPS_MAX } from '@tidewire/core';
import { MAPS_FULL, type MapTable } from '@tidewire/core/threads';

/** Default lifetimes by map: of what is put without a lifetime of its own. */
export class MapTtls {
  readonly #byName: ReadonlyMap<string, number>;
  readonly #byId: Float64Array = new Float64Array(MAPS_MAX);

  /** Milliseconds by the name of a map. */
  constructor(byName: ReadonlyMap<string, number>) {
    this.#byName = byName;
  }

  /** Recovery has ended: the maps get their ids. */
  open(mapTable: MapTable): void {
    for (const [name, ttlMs] of this.#byName) {
      const bytes = new TextEncoder().encode(name);
      const mapId = mapTable.register(bytes, 0, bytes.length);
      if (mapId !== MAPS_FULL) this.#byId[mapId] = ttlMs; // else nobody can put into that map
    }
  }

  /** 0: for ever. */
  of(mapId: number): number {
    return this.#byId[mapId];
  }
}
