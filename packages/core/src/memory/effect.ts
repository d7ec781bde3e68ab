import { EFFECT_VALUE_BYTES_MAX } from '../limits.js';
import { HEADER_WORDS, wordsOf } from './record-layout.js';

/**
 * What is remembered of an update, so that the same one sent again has no second effect. A worker's
 * effects are an array of entries in shared memory, which outlives the worker:
 *
 *     word 0     state: 0 free, 1 used, 2 floor; stored last
 *     word 1…4   token of the session
 *     word 5     request id
 *     word 6     map id (16) | operation kind (8) | 0 (8)
 *     word 7     hash of the key
 *     word 8…    image of the record as the update left it, without its key (see record-layout.ts);
 *                a value longer than EFFECT_VALUE_BYTES_MAX is left out
 *
 * A floor, one of a session at most, stands for what has been forgotten to make room: the effects of its
 * request id and of those below, unless they are still there. Its words from 6 on mean nothing.
 */
export const STATE = 0;
export const TOKEN = 1;
export const TOKEN_WORDS = 4;
export const REQUEST_ID = 5;
export const MAP_KIND = 6;
export const HASH = 7;
export const IMAGE = 8;

export const FREE = 0;
export const USED = 1;
export const FLOOR = 2;

/** Header, expiry and value of the image. */
export const EFFECT_WORDS: number = IMAGE + HEADER_WORDS + 2 + wordsOf(EFFECT_VALUE_BYTES_MAX);
