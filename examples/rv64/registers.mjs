// 32 registers of 64 bits, each as two signed words: BigInts would make the processor thirty times slower.

export class Registers {
  /** Bits 31..0 of each register. Register 0 is always 0: whoever writes it writes to number 32 instead. */
  lo = new Int32Array(33);
  /** Bits 63..32. */
  hi = new Int32Array(33);

  /** @param {number} rd @param {number} lo sign-extended. */
  set32(rd, lo) {
    this.lo[rd] = lo;
    this.hi[rd] = lo >> 31;
  }

  /** @param {number} rd @param {number} lo @param {number} hi */
  set(rd, lo, hi) {
    this.lo[rd] = lo;
    this.hi[rd] = hi;
  }

  /** @param {number} rd @param {bigint} value */
  setBigint(rd, value) {
    this.lo[rd] = Number(BigInt.asIntN(32, value));
    this.hi[rd] = Number(BigInt.asIntN(32, value >> 32n));
  }

  /** @param {number} rs */
  bigint(rs) {
    return toBigint(this.lo[rs], this.hi[rs]);
  }

  /** @param {number} rd @param {number} lo @param {number} hi @param {number} by 0 to 63. */
  shiftLeft(rd, lo, hi, by) {
    if (by >= 32) this.set(rd, 0, lo << (by - 32));
    else if (by === 0) this.set(rd, lo, hi);
    else this.set(rd, lo << by, (hi << by) | (lo >>> (32 - by)));
  }

  /** @param {number} rd @param {number} lo @param {number} hi @param {number} by 0 to 63. */
  shiftRight(rd, lo, hi, by) {
    if (by >= 32) this.set(rd, hi >>> (by - 32), 0);
    else if (by === 0) this.set(rd, lo, hi);
    else this.set(rd, (lo >>> by) | (hi << (32 - by)), hi >>> by);
  }

  /** @param {number} rd @param {number} lo @param {number} hi @param {number} by 0 to 63. */
  shiftRightSigned(rd, lo, hi, by) {
    if (by >= 32) this.set(rd, hi >> (by - 32), hi >> 31);
    else if (by === 0) this.set(rd, lo, hi);
    else this.set(rd, (lo >>> by) | (hi << (32 - by)), hi >> by);
  }
}

/** @param {number | undefined} lo @param {number | undefined} hi */
export function toBigint(lo = 0, hi = 0) {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}
