/**
 * Some things, mostly one: none, the one itself, or a set of several. Who holds very many of these pays
 * for a set only where there is more than one.
 */
export type Few<T extends object> = undefined | T | Set<T>;

/** What `few` becomes when it gets `item`, which it has not. */
export function fewWith<T extends object>(few: Few<T>, item: T): Few<T> {
  if (few === undefined) return item;
  return few instanceof Set ? few.add(item) : new Set([few, item]);
}

/** What is left of `few` without `item`. */
export function fewWithout<T extends object>(few: Few<T>, item: T): Few<T> {
  if (!(few instanceof Set)) return few === item ? undefined : few;
  few.delete(item);
  if (few.size > 1) return few;
  const [only] = few;
  return only;
}

export function fewHas<T extends object>(few: Few<T>, item: T): boolean {
  return few instanceof Set ? few.has(item) : few === item;
}

export function fewSize<T extends object>(few: Few<T>): number {
  if (few instanceof Set) return few.size;
  return few === undefined ? 0 : 1;
}

/** All of them now, in the order of their coming: what changes meanwhile does not matter. */
export function eachOf<T extends object>(few: Few<T>): T[] {
  if (few instanceof Set) return [...few];
  return few === undefined ? [] : [few];
}
