import { FullArray } from './full-array.js';
import type { ArrayShape } from './resolved.js';
import { SetArray } from './set-array.js';
import type { TlbArray } from './tlb-array.js';

/** Makes an empty array. @param seed - of random replacement. */
export function makeArray(shape: ArrayShape, seed: number): TlbArray {
  return shape.sets === 1 ? new FullArray(shape, seed) : new SetArray(shape, seed);
}
