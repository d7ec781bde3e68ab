import { EFFECT_VALUE_BYTES_MAX } from '../limits.js';
import { HEADER_WORDS, wordsOf } from './record-layout.js';

/**
 * What is remembered of an update, so that the same one sent again has no second effect. A worker's
 * effects are an array of entries in shared memory, which outlives the worker:
 *
 *     word 0     state: 0 free, 1 used; stored last
 *     word 1…4   resume token of the session
 *     word 5     request id
 *     word 6…    image of the record as the update left it, without its key (see record-layout.ts);
 *                a value longer than EFFECT_VALUE_BYTES_MAX is left out
 */
export const STATE = 0;
export const TOKEN = 1;
export const TOKEN_WORDS = 4;
export const REQUEST_ID = 5;
export const IMAGE = 6;

export const FREE = 0;
export const USED = 1;

/** Header, expiry and value of the image. */
export const EFFECT_WORDS: number = IMAGE + HEADER_WORDS + 2 + wordsOf(EFFECT_VALUE_BYTES_MAX);
