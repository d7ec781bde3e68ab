import { writeFileSync } from 'node:fs';

/** Processors of a server under test. */

export function withdraw(record: { value: unknown } | undefined, amount: unknown): unknown {
  const balance = Number(record?.value ?? 0);
  if (balance < Number(amount)) throw new RangeError(`${balance} is less than ${amount}`);
  return { put: balance - Number(amount) };
}

/** Moves an amount from the first record to the second. */
export function transfer(
  [from, to]: readonly ({ value: unknown } | undefined)[],
  amount: unknown,
): unknown {
  return [withdraw(from, amount), withdraw(to, -Number(amount))];
}

/** Ends its worker if the record has this value, and changes it else. */
export function exitAt(record: { value: unknown } | undefined, value: unknown): unknown {
  if (record?.value === value) process.exit(3);
  return { put: value };
}

export function loop(): never {
  for (;;);
}

/** Ends its worker at the first run, and counts at the second; `file` says which it is. */
export function exitOnce(record: { value: unknown } | undefined, file: unknown): unknown {
  if (isFirst(String(file))) process.exit(3);
  return { put: Number(record?.value ?? 0) + 1 };
}

function isFirst(file: string): boolean {
  try {
    writeFileSync(file, '', { flag: 'wx' });
    return true;
  } catch {
    return false;
  }
}
