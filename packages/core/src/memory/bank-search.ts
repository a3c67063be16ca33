import { VmError } from '../errors.js';

/** Index of the last of ascending values that is not above `value`; -1 when all are above. */
export function lastAtOrBelow(values: Float64Array, value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The error of a store into an image. */
export function readOnly(address: bigint): VmError {
  return new VmError('EPERM', 'this memory is a read-only image', { address });
}
