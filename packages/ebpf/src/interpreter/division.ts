/** Quotient and remainder of numbers of 64 bits, each in two signed words. */
export class Division {
  quotientLo = 0;
  quotientHi = 0;
  remainderLo = 0;
  remainderHi = 0;

  /** Unsigned. The divisor is not 0. */
  divide(nLo: number, nHi: number, dLo: number, dHi: number): void {
    const isSmall = nHi >>> 21 === 0 && dHi >>> 21 === 0;
    if (isSmall) this.#divideNumbers(nLo, nHi, dLo, dHi);
    else this.#divideBits(nLo, nHi, dLo, dHi);
  }

  /** Signed, towards 0. The divisor is not 0. The least number divided by -1 is itself, with the remainder 0. */
  divideSigned(nLo: number, nHi: number, dLo: number, dHi: number): void {
    const [isNegative, isDivisorNegative] = [nHi < 0, dHi < 0];
    const [lo, hi] = isNegative ? [-nLo | 0, ~nHi + (nLo === 0 ? 1 : 0)] : [nLo, nHi];
    const [byLo, byHi] = isDivisorNegative ? [-dLo | 0, ~dHi + (dLo === 0 ? 1 : 0)] : [dLo, dHi];
    this.divide(lo, hi | 0, byLo, byHi | 0);
    if (isNegative !== isDivisorNegative) {
      this.quotientHi = (~this.quotientHi + (this.quotientLo === 0 ? 1 : 0)) | 0;
      this.quotientLo = -this.quotientLo | 0;
    }
    if (isNegative) {
      this.remainderHi = (~this.remainderHi + (this.remainderLo === 0 ? 1 : 0)) | 0;
      this.remainderLo = -this.remainderLo | 0;
    }
  }

  /** Both are below 2^53: the remainder of numbers is exact, and so is the division of what is left. */
  #divideNumbers(nLo: number, nHi: number, dLo: number, dHi: number): void {
    const number = nHi * 4294967296 + (nLo >>> 0);
    const divisor = dHi * 4294967296 + (dLo >>> 0);
    const remainder = number % divisor;
    const quotient = (number - remainder) / divisor;
    this.quotientLo = quotient | 0;
    this.quotientHi = (quotient / 4294967296) | 0;
    this.remainderLo = remainder | 0;
    this.remainderHi = (remainder / 4294967296) | 0;
  }

  /** One bit of the quotient after another, from the highest one that can be set. */
  #divideBits(nLo: number, nHi: number, dLo: number, dHi: number): void {
    let [restLo, restHi, qLo, qHi] = [nLo, nHi, 0, 0];
    const zeros = leadingZeros(dLo, dHi) - leadingZeros(nLo, nHi);
    let [byLo, byHi] = zeros > 0 ? shiftLeft(dLo, dHi, zeros) : [dLo, dHi];
    for (let bit = zeros; bit >= 0; bit--) {
      qHi = (qHi << 1) | (qLo >>> 31);
      qLo <<= 1;
      const isAbove = restHi >>> 0 > byHi >>> 0;
      if (isAbove || (restHi === byHi && restLo >>> 0 >= byLo >>> 0)) {
        restHi = (restHi - byHi - (restLo >>> 0 < byLo >>> 0 ? 1 : 0)) | 0;
        restLo = (restLo - byLo) | 0;
        qLo |= 1;
      }
      byLo = (byLo >>> 1) | (byHi << 31);
      byHi >>>= 1;
      byHi |= 0;
    }
    this.quotientLo = qLo;
    this.quotientHi = qHi;
    this.remainderLo = restLo;
    this.remainderHi = restHi;
  }
}

function leadingZeros(lo: number, hi: number): number {
  return hi === 0 ? 32 + Math.clz32(lo) : Math.clz32(hi);
}

/** By 1 to 63. */
function shiftLeft(lo: number, hi: number, by: number): [lo: number, hi: number] {
  if (by >= 32) return [0, lo << (by - 32)];
  return [lo << by, (hi << by) | (lo >>> (32 - by))];
}

/** Bits 63..32 of the product of two unsigned words. */
export function productHigh(a: number, b: number): number {
  const [aLo, aHi, bLo, bHi] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = aLo * bHi + aHi * bLo + ((aLo * bLo) >>> 16);
  return (aHi * bHi + Math.floor(middle / 65536)) | 0;
}
