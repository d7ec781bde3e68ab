import { createRequire } from 'node:module';
import fc from 'fast-check';
import t from 'tap';
import {
  hashOf,
  MURMUR_START,
  murmurBlock,
  murmurFinish,
  murmurTail,
  PARTITIONS,
  partitionOf,
} from '#lib/partition-hash.js';
import { holds } from './property.js';

interface Murmur {
  x86: { hash32: (bytes: Uint8Array, seed: number) => number };
}
const oracle = createRequire(import.meta.url)('murmurhash3js-revisited') as Murmur;

const VECTORS: readonly [string, number, number][] = [
  ['', -1585187909, 238],
  ['a', -1686100800, 46],
  ['foo', 652885968, 85],
  ['key-1', 1228513025, 107],
  ['key-2', 1503416236, 105],
  ['user:1', -1065548739, 45],
  ['日本', 272762881, 26],
  ['😀', -1223544815, 140],
];

t.test('PART-1: a key has the hash and the partition of the table', async (t) => {
  for (const [key, hash, partition] of VECTORS) {
    t.equal(hashOf(Buffer.from(key)), hash, `hash of '${key}'`);
    t.equal(partitionOf(hash), partition, `partition of '${key}'`);
  }
});

t.test('PART-2: the hash is MurmurHash3 x86 32-bit, wherever the key lies', async (t) => {
  holds(
    t,
    fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat(5), (key, offset) => {
      const frame = Uint8Array.from([...new Array(offset).fill(255), ...key, 255, 255]);
      return hashOf(frame, offset, key.length) === (oracle.x86.hash32(key, MURMUR_START) | 0);
    }),
    2000,
  );
});

t.test('PART-2: by words it is the same hash', async (t) => {
  holds(
    t,
    fc.property(fc.uint8Array({ maxLength: 40 }), (key) => {
      const padded = new Uint8Array((key.length + 3) & ~3);
      padded.set(key);
      const words = new Int32Array(padded.buffer);
      let state = MURMUR_START;
      const blocks = key.length >> 2;
      for (let i = 0; i < blocks; i++) state = murmurBlock(state, words[i]);
      if (key.length & 3) state = murmurTail(state, words[blocks]);
      return murmurFinish(state, key.length) === hashOf(key);
    }),
  );
});

t.test('PART-3: the partition is abs(hash) % 271, and 0 for −2³¹', async (t) => {
  t.equal(partitionOf(-(2 ** 31)), 0);
  for (const hash of [0, 1, -1, 270, 271, -271, 2 ** 31 - 1, -(2 ** 31) + 1])
    t.equal(partitionOf(hash), Math.abs(hash) % PARTITIONS, `${hash}`);
  holds(
    t,
    fc.property(
      fc.integer({ min: -(2 ** 31) + 1, max: 2 ** 31 - 1 }),
      (hash) => partitionOf(hash) === Math.abs(hash) % PARTITIONS,
    ),
  );
});
