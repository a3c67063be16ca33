import { joinWords } from '@vmarea/core';
import { checkedQuad, FarData } from './far-data.js';

// Numbers are written out: a bundler makes a constant of a module a variable, which each access would load and check. They are
// `PAGE` of software-tlb.ts, with the bits that must be 0 in an aligned address, and the numbers of accesses.ts.

/**
 * Loads and stores by virtual address, little-endian, at any alignment. An address is two words, signed or unsigned; for a number
 * `va` below 2^53 pass `va / 4294967296` and `va`, whose fractions and upper bits do not count.
 *
 * An access that faults throws `mmu.fault`, and nothing was loaded or stored. An aligned access to the main bank (the largest one in
 * one piece) whose page is in the TLB is a few nanoseconds, and nothing is allocated. Aligned accesses are not torn.
 */
export abstract class Data extends FarData {
  /**
   * Loads 8 bits, unsigned.
   *
   * @param vaHi - bits 63..32 of the address.
   * @param vaLo - bits 31..0.
   * @param user - true for user mode.
   * @throws MmuFault when the access faults; VmError `EFAULT` for a frame without bytes, when there is no `io`.
   */
  load8(vaHi: number, vaLo: number, user: boolean): number {
    const { lines } = this;
    const line = ((vaLo >>> 10) & this.lineMask) ^ (user ? this.users : 0);
    if (((lines[line] as number) ^ (vaLo & -4096)) === this.own && lines[line + 1] === (vaHi | 0)) {
      const value = this.words[((lines[line + 2] as number) + ((vaLo >>> 2) & 1023)) | 0];
      if (value !== undefined) return (value >>> ((vaLo & 3) << 3)) & 255;
    }
    return this.loadFar(vaHi, vaLo, 1, user ? 3 : 0);
  }

  /** Loads 8 bits, sign-extended; see `load8`. */
  loadSigned8(vaHi: number, vaLo: number, user: boolean): number {
    return (this.load8(vaHi, vaLo, user) << 24) >> 24;
  }

  /** Loads 16 bits, unsigned; see `load8`. */
  load16(vaHi: number, vaLo: number, user: boolean): number {
    const { lines } = this;
    const line = ((vaLo >>> 10) & this.lineMask) ^ (user ? this.users : 0);
    if (((lines[line] as number) ^ (vaLo & -4095)) === this.own && lines[line + 1] === (vaHi | 0)) {
      const value = this.words[((lines[line + 2] as number) + ((vaLo >>> 2) & 1023)) | 0];
      if (value !== undefined) return (value >>> ((vaLo & 2) << 3)) & 65535;
    }
    return this.loadFar(vaHi, vaLo, 2, user ? 3 : 0);
  }

  /** Loads 16 bits, sign-extended; see `load8`. */
  loadSigned16(vaHi: number, vaLo: number, user: boolean): number {
    return (this.load16(vaHi, vaLo, user) << 16) >> 16;
  }

  /** Loads 32 bits, unsigned; see `load8`. `loadSigned32` is faster: V8 may allocate a number above 2^31. */
  load32(vaHi: number, vaLo: number, user: boolean): number {
    return this.loadSigned32(vaHi, vaLo, user) >>> 0;
  }

  /** Loads 32 bits, signed; see `load8`. */
  loadSigned32(vaHi: number, vaLo: number, user: boolean): number {
    const { lines } = this;
    const line = ((vaLo >>> 10) & this.lineMask) ^ (user ? this.users : 0);
    if (((lines[line] as number) ^ (vaLo & -4093)) === this.own && lines[line + 1] === (vaHi | 0)) {
      const value = this.words[((lines[line + 2] as number) + ((vaLo >>> 2) & 1023)) | 0];
      if (value !== undefined) return value;
    }
    return this.loadFar(vaHi, vaLo, 4, user ? 3 : 0);
  }

  /** Loads 64 bits, unsigned; see `load8`. */
  load64(vaHi: number, vaLo: number, user: boolean): bigint {
    const lo = this.load64Words(vaHi, vaLo, user);
    return joinWords(lo, this.high);
  }

  /** Loads 64 bits as words: returns bits 31..0, signed, and leaves bits 63..32 in `high`; see `load8`. */
  load64Words(vaHi: number, vaLo: number, user: boolean): number {
    const { lines } = this;
    const line = ((vaLo >>> 10) & this.lineMask) ^ (user ? this.users : 0);
    if (((lines[line] as number) ^ (vaLo & -4089)) === this.own && lines[line + 1] === (vaHi | 0)) {
      const at = ((lines[line + 2] as number) + ((vaLo >>> 2) & 1023)) | 0;
      const value = this.wide[at];
      if (value !== undefined) {
        this.high = this.wide[at + 1] as number;
        return value;
      }
    }
    return this.loadFar(vaHi, vaLo, 8, user ? 3 : 0);
  }

  /** Fetches 16 bits of code, unsigned; see `load8`. */
  fetch16(vaHi: number, vaLo: number, user: boolean): number {
    const { lines } = this;
    const line = ((((vaLo >>> 10) & this.lineMask) ^ (user ? this.users : 0)) + this.executes) | 0;
    if (((lines[line] as number) ^ (vaLo & -4095)) === this.own && lines[line + 1] === (vaHi | 0)) {
      const value = this.words[((lines[line + 2] as number) + ((vaLo >>> 2) & 1023)) | 0];
      if (value !== undefined) return (value >>> ((vaLo & 2) << 3)) & 65535;
    }
    return this.loadFar(vaHi, vaLo, 2, user ? 5 : 2);
  }

  /** Fetches 32 bits of code, signed; see `load8`. */
  fetch32(vaHi: number, vaLo: number, user: boolean): number {
    const { lines } = this;
    const line = ((((vaLo >>> 10) & this.lineMask) ^ (user ? this.users : 0)) + this.executes) | 0;
    if (((lines[line] as number) ^ (vaLo & -4093)) === this.own && lines[line + 1] === (vaHi | 0)) {
      const value = this.words[((lines[line + 2] as number) + ((vaLo >>> 2) & 1023)) | 0];
      if (value !== undefined) return value;
    }
    return this.loadFar(vaHi, vaLo, 4, user ? 5 : 2);
  }

  /**
   * Stores 8 bits.
   *
   * @param value - its low bits count.
   * @throws MmuFault and VmError as `load8`; VmError `EPERM` for bytes that are read-only.
   */
  store8(vaHi: number, vaLo: number, user: boolean, value: number): void {
    const { lines, bytes } = this;
    const line = ((((vaLo >>> 10) & this.lineMask) ^ (user ? this.users : 0)) + this.writes) | 0;
    if (((lines[line] as number) ^ (vaLo & -4096)) === this.own && lines[line + 1] === (vaHi | 0)) {
      const at = (lines[line + 2] as number) * 4 + (vaLo & 4095);
      if (at < bytes.length) {
        bytes[at] = value;
        return;
      }
    }
    this.storeFar(vaHi, vaLo, 1, user ? 4 : 1, 0, value);
  }

  /** Stores 16 bits; see `store8`. */
  store16(vaHi: number, vaLo: number, user: boolean, value: number): void {
    const { lines, halves } = this;
    const line = ((((vaLo >>> 10) & this.lineMask) ^ (user ? this.users : 0)) + this.writes) | 0;
    if (((lines[line] as number) ^ (vaLo & -4095)) === this.own && lines[line + 1] === (vaHi | 0)) {
      const at = (lines[line + 2] as number) * 2 + ((vaLo >>> 1) & 2047);
      if (at < halves.length) {
        halves[at] = value;
        return;
      }
    }
    this.storeFar(vaHi, vaLo, 2, user ? 4 : 1, 0, value);
  }

  /** Stores 32 bits; see `store8`. */
  store32(vaHi: number, vaLo: number, user: boolean, value: number): void {
    const { lines, words } = this;
    const line = ((((vaLo >>> 10) & this.lineMask) ^ (user ? this.users : 0)) + this.writes) | 0;
    if (((lines[line] as number) ^ (vaLo & -4093)) === this.own && lines[line + 1] === (vaHi | 0)) {
      const at = ((lines[line + 2] as number) + ((vaLo >>> 2) & 1023)) | 0;
      if (at < words.length) {
        words[at] = value;
        return;
      }
    }
    this.storeFar(vaHi, vaLo, 4, user ? 4 : 1, 0, value);
  }

  /** Stores 64 bits; see `store8`. */
  store64(vaHi: number, vaLo: number, user: boolean, value: bigint): void {
    const hi = Number(BigInt.asIntN(32, checkedQuad(value) >> 32n));
    this.store64Words(vaHi, vaLo, user, hi, Number(BigInt.asIntN(32, value)));
  }

  /** Stores 64 bits that come as words; see `store8`. */
  store64Words(vaHi: number, vaLo: number, user: boolean, hi: number, lo: number): void {
    const { lines, wide } = this;
    const line = ((((vaLo >>> 10) & this.lineMask) ^ (user ? this.users : 0)) + this.writes) | 0;
    if (((lines[line] as number) ^ (vaLo & -4089)) === this.own && lines[line + 1] === (vaHi | 0)) {
      const at = ((lines[line + 2] as number) + ((vaLo >>> 2) & 1023)) | 0;
      if (at < wide.length) {
        wide[at] = lo;
        wide[at + 1] = hi;
        return;
      }
    }
    this.storeFar(vaHi, vaLo, 8, user ? 4 : 1, hi, lo);
  }
}
