import { type AccessBatch, accessBatch } from '@vmarea/compare';

/** Bytes that a reader parses at once. */
export const WINDOW_BYTES: number = 2 ** 18;
/** No format has more than one access in so many bytes: ` M 0,1` and its line end are two accesses. */
const LEAST_BYTES = 3;

/** A batch with room for all accesses of one window. */
export function windowBatch(windowBytes: number = WINDOW_BYTES): AccessBatch {
  return accessBatch(Math.ceil(windowBytes / LEAST_BYTES) + 8);
}
