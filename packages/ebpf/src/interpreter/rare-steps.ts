import { Division } from './division.js';

/**
 * Steps that change registers alone and that programs seldom have: division, byte order, and short moves. The engine's loop is shorter
 * without them.
 */
export class RareSteps {
  readonly #registers: Int32Array;
  readonly #division = new Division();

  constructor(registers: Int32Array) {
    this.#registers = registers;
  }

  /**
   * Runs one.
   *
   * @param a - the destination, and `b` the operand: their lower words in the registers.
   * @returns false for a step that is none of these.
   */
  run(step: number, a: number, b: number): boolean {
    const r = this.#registers;
    // steps.ts has these numbers.
    switch (step) {
      case 0x03: // divide
        this.#divide(a, b, false);
        return true;
      case 0x09: // remainder
        this.#remainder(a, b, false);
        return true;
      case 0x0e: // divide, signed
        this.#divide(a, b, true);
        return true;
      case 0x0f: // remainder, signed
        this.#remainder(a, b, true);
        return true;
      case 0x13: // divide, 32 bits: by 0 is 0
        r[a] = r[b] === 0 ? 0 : (((r[a] as number) >>> 0) / ((r[b] as number) >>> 0)) | 0;
        break;
      case 0x19: // remainder, 32 bits: by 0 is the number itself
        if (r[b] !== 0) r[a] = ((r[a] as number) >>> 0) % ((r[b] as number) >>> 0);
        break;
      case 0x1e: // divide, signed, 32 bits
        r[a] = r[b] === 0 ? 0 : ((r[a] as number) / (r[b] as number)) | 0;
        break;
      case 0x1f: // remainder, signed, 32 bits
        if (r[b] !== 0) r[a] = ((r[a] as number) % (r[b] as number)) | 0;
        break;
      case 0x73: // move 8 bits, signed, to 32
        r[a] = ((r[b] as number) << 24) >> 24;
        break;
      case 0x74: // move 16 bits, signed, to 32
        r[a] = ((r[b] as number) << 16) >> 16;
        break;
      case 0x75: // keep 16 bits
        r[a] = (r[b] as number) & 0xffff;
        break;
      case 0x77: // swap 16 bits
        r[a] = swap(r[b] as number) >>> 16;
        break;
      case 0x78: // swap 32 bits
        r[a] = swap(r[b] as number);
        break;
      case 0x79: {
        // swap 64 bits
        const lo = swap(r[b + 1] as number);
        r[a + 1] = swap(r[b] as number);
        r[a] = lo;
        return true;
      }
      default:
        return false;
    }
    r[a + 1] = 0;
    return true;
  }

  #divide(a: number, b: number, isSigned: boolean): void {
    const [r, division] = [this.#registers, this.#division];
    const [lo, hi] = [r[b] as number, r[b + 1] as number];
    if ((lo | hi) === 0) {
      r[a] = 0;
      r[a + 1] = 0;
      return;
    }
    if (isSigned) division.divideSigned(r[a] as number, r[a + 1] as number, lo, hi);
    else division.divide(r[a] as number, r[a + 1] as number, lo, hi);
    r[a] = division.quotientLo;
    r[a + 1] = division.quotientHi;
  }

  #remainder(a: number, b: number, isSigned: boolean): void {
    const [r, division] = [this.#registers, this.#division];
    const [lo, hi] = [r[b] as number, r[b + 1] as number];
    if ((lo | hi) === 0) return;
    if (isSigned) division.divideSigned(r[a] as number, r[a + 1] as number, lo, hi);
    else division.divide(r[a] as number, r[a + 1] as number, lo, hi);
    r[a] = division.remainderLo;
    r[a + 1] = division.remainderHi;
  }
}

/** A word with its bytes in the other order. */
function swap(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}
