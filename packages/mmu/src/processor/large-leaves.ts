/** log2 of the bits that remember leaves of one size. */
const BITS = 12;
/** Leaves of up to this many pages (log2) are not remembered: to look for their pages takes no longer. */
const SMALL = 4;

/**
 * Which large leaves may have pages in a TLB. A TLB of pages holds a large leaf as pages of it, and must forget all of them when it
 * is told to forget one. This says whether there is something to look for.
 *
 * It keeps a bit for each leaf, by a hash: it may say yes wrongly, never no.
 */
export class LargeLeaves {
  /** log2 of the sizes that were met, ascending. */
  readonly shifts: number[] = [];
  readonly #bits = new Map<number, Uint32Array>();

  /** Remembers a leaf that holds an address. */
  add(shift: number, vaHi: number, vaLo: number): void {
    let bits = this.#bits.get(shift);
    if (bits === undefined) {
      bits = new Uint32Array(2 ** (BITS - 5));
      this.#bits.set(shift, bits);
      this.shifts.push(shift);
      this.shifts.sort((a, b) => a - b);
    }
    if (shift - 12 <= SMALL) return;
    const bit = bitOf(shift, vaHi, vaLo);
    bits[bit >>> 5] = (bits[bit >>> 5] as number) | (1 << (bit & 31));
  }

  /** False when no page of the leaf of this size that holds an address is in the TLB. */
  has(shift: number, vaHi: number, vaLo: number): boolean {
    if (shift - 12 <= SMALL) return true;
    const bit = bitOf(shift, vaHi, vaLo);
    return (((this.#bits.get(shift)?.[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) !== 0;
  }

  clear(): void {
    for (const bits of this.#bits.values()) bits.fill(0);
  }
}

function bitOf(shift: number, vaHi: number, vaLo: number): number {
  const number =
    shift < 32 ? (vaLo >>> shift) | (vaHi << (32 - shift)) : shift === 32 ? vaHi : vaHi >>> (shift - 32);
  return Math.imul(number, 0x9e3779b1) >>> (32 - BITS);
}
