/** What the two threads of the stress run share and how a record's words follow from its number. */
export interface Stress {
  ring: SharedArrayBuffer;
  bells: SharedArrayBuffer;
  records: number;
}

export const CONSUMER_BELL = 0;
export const PRODUCER_BELL = 32;

export function kindOf(record: number): number {
  return 1 + (record % 1000);
}

export function bodyWordsOf(record: number): number {
  return 1 + (Math.imul(record, 0x9e3779b1) >>> 28);
}

export function bodyWord(record: number, i: number): number {
  return Math.imul(record + 1, 0x85ebca6b) ^ i;
}
