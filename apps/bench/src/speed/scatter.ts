/** The streams of random numbers. Each has its own order. `reference/inputs.h` has the same numbers. */
export const STREAM = { frames: 1, addresses: 2, places: 3 } as const;

/** The integers below a bound in a random order, without a list in memory. */
export interface Scatter {
  /** The number at an index of the sequence: 0 to the bound - 1. */
  at(index: number): number;
}

/**
 * The integers from 0 to `below - 1` in an order that depends only on the seed. `reference/inputs.c` has the same sequence,
 * so that processes need not exchange lists.
 *
 * @param below - at most 2 ** 31.
 * @param seed - 32 bits.
 * @param stream - one of `STREAM`.
 */
export function scatter(below: number, seed: number, stream: number): Scatter {
  const bits = Math.max(2, Math.ceil(Math.log2(below)));
  const mask = 2 ** bits - 1;
  const half = Math.ceil(bits / 2);
  const start = (Math.imul(seed, 0x9e3779b9) + Math.imul(stream, 0x85ebca6b)) | 0;
  return {
    at(index) {
      let x = index;
      // Each step permutes the integers below 2 ** bits. A number above the bound takes another round.
      do {
        x = (Math.imul(x, 0x2c1b3c6d) + start) & mask;
        x ^= x >>> half;
        x = Math.imul(x, 0x297a2d39) & mask;
        x ^= x >>> half;
        x = Math.imul(x, 0x1b56c4e9) & mask;
        x ^= x >>> half;
      } while (x >= below);
      return x;
    },
  };
}
