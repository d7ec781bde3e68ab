import { type Field, NOT_JSON, type QueriedRecord } from './predicate.js';

/**
 * Reads a field of records; undefined where it is missing. A name leads to an object's own member
 * and an index to an array's element, nothing else: no prototype, no `length`.
 */
export function fieldReader(field: Field): (record: QueriedRecord) => unknown {
  if (field.kind === 'key') return (record) => record.key;
  if (field.kind === 'stamp') return (record) => record.stampMs;
  const { steps } = field;
  if (steps.length === 1) {
    const [step] = steps;
    return (record) => stepInto(record.value, step);
  }
  return (record) => {
    let value = record.value === NOT_JSON ? undefined : record.value;
    for (const step of steps) value = stepInto(value, step);
    return value;
  };
}

/** One step of a path; undefined where it leads nowhere. */
export function stepInto(value: unknown, step: string | number): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value))
    return typeof step === 'number' && step < value.length ? value[step] : undefined;
  if (typeof step === 'number' || !Object.hasOwn(value, step)) return undefined;
  return (value as Record<string, unknown>)[step];
}
