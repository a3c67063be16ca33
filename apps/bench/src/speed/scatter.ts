/** What a sequence is for: each has its own order. The numbers are those of `reference/inputs.h`. */
export const STREAM = { frames: 1, addresses: 2, places: 3 } as const;

/** The whole numbers below a bound in a random order: one to one, without a list of them. */
export interface Scatter {
  /** The number at a place of the sequence, 0 or more and below the bound. */
  at(index: number): number;
}

/**
 * The numbers from 0 to `below - 1` in an order that depends on the seed alone; the same sequence as `reference/inputs.c`
 * has, so that no list goes from one process to another.
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
      // Each step maps the numbers below 2 ** bits onto themselves; what is too large goes round again.
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
