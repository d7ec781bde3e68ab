import { hashOf } from '@tidewire/core';
import { EndPresenceRequest, RecordLayout } from '@tidewire/core/threads';
import { MAP_ID, putBytes, START_MS } from './worker-fixture.js';

/** The END_PRESENCE of a put of node 1, `ms` above START_MS. */
export function endPresenceWords(key: string, ms: number): Int32Array {
  const bytes = Buffer.from(key);
  const stampMs = START_MS + ms;
  const words = new Int32Array(EndPresenceRequest.KEY + RecordLayout.wordsOf(bytes.length));
  words[EndPresenceRequest.HASH] = hashOf(bytes);
  words[EndPresenceRequest.MAP] = MAP_ID;
  words[EndPresenceRequest.MS_LOW] = RecordLayout.lowWord(stampMs);
  words[EndPresenceRequest.MS_HIGH_COUNTER] = RecordLayout.highWord(stampMs) << 16;
  words[EndPresenceRequest.NODE] = 1;
  words[EndPresenceRequest.KEY_LENGTH] = bytes.length;
  putBytes(words, EndPresenceRequest.KEY, bytes);
  return words;
}
