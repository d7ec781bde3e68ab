import { hashOf, partitionOf } from '@tidewire/core';

const text = new TextEncoder();

/** Names of keys of one partition. */
export function keysIn(partition: number, count: number): string[] {
  const keys: string[] = [];
  for (let i = 0; keys.length < count; i++)
    if (partitionOf(hashOf(text.encode(`k${i}`))) === partition) keys.push(`k${i}`);
  return keys;
}
