import { hashOf } from '@tidewire/core';
import {
  bytesToWords,
  GroupRecord,
  OperationExtension,
  RecordLayout,
} from '@tidewire/core/threads';
import type { Owner } from './owner.js';

/** Names a record, in UTF-8. */
export interface RecordName {
  readonly map: Uint8Array;
  readonly key: Uint8Array;
}

/** Words that the names take behind an extension. */
export function otherWords(others: readonly RecordName[]): number {
  return others.reduce(
    (words, { key }) => words + GroupRecord.KEY + RecordLayout.wordsOf(key.length),
    0,
  );
}

/** Writes the names behind the extension at `extension`, in the owner's request ring. */
export function writeOthers(
  { requests: { words }, requestBytes }: Owner,
  extension: number,
  others: readonly RecordName[],
  mapIds: readonly number[],
): void {
  words[extension + OperationExtension.OTHER_COUNT] = others.length;
  let at = extension + OperationExtension.WORDS;
  for (const [i, { key }] of others.entries()) {
    words[at + GroupRecord.HASH] = hashOf(key);
    words[at + GroupRecord.MAP_KEY_LENGTH] = (mapIds[i] << 16) | key.length;
    bytesToWords(key, 0, key.length, words, requestBytes, at + GroupRecord.KEY);
    at += GroupRecord.KEY + RecordLayout.wordsOf(key.length);
  }
}
