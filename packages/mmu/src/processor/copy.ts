import { checkAddress, VmError } from '@vmarea/core';
import { READ, USER, WRITE } from './accesses.js';
import { Data } from './data.js';

/** Copies of byte ranges between the host and the guest. All pages are checked before the first byte moves. */
export abstract class Copies extends Data {
  /**
   * Copies bytes of the guest out, as loads do.
   *
   * @param va - address of the first.
   * @param into - receives them; its length is that of the range.
   * @param user - true for user mode. Default: false.
   * @throws MmuFault for the first page that faults; VmError `EFAULT` for a frame without bytes, when there is no `io`; `EINVAL` or
   *   `ERANGE` for an invalid address, or a range that ends beyond 64 bits. `into` is then as it was, but for devices that throw.
   */
  copyOut(va: bigint, into: Uint8Array, user = false): void {
    for (const { frame, bank, word, offset, from, bytes } of this.#pieces(
      va,
      into,
      user ? READ + USER : READ,
    )) {
      if (bank < 0) {
        for (let i = 0; i < bytes; i++) into[from + i] = this.byteAt(bank, word, frame, offset + i);
        continue;
      }
      const view = this.banks.view(bank);
      into.set(new Uint8Array(view.buffer, view.byteOffset + word * 4 + offset, bytes), from);
    }
  }

  /**
   * Copies bytes into the guest, as stores do.
   *
   * @param va - address of the first.
   * @param from - the bytes.
   * @param user - true for user mode. Default: false.
   * @throws MmuFault and VmError as `copyOut`; VmError `EPERM` for bytes that are read-only. Nothing is then written.
   */
  copyIn(va: bigint, from: Uint8Array, user = false): void {
    const pieces = this.#pieces(va, from, user ? WRITE + USER : WRITE);
    for (const { frame, bank, offset } of pieces) if (bank >= 0) this.writableView(bank, frame, offset);
    for (const { frame, bank, word, offset, from: start, bytes } of pieces) {
      if (bank < 0) {
        for (let i = 0; i < bytes; i++) {
          this.storeByteAt(bank, word, frame, offset + i, from[start + i] as number);
        }
        continue;
      }
      const view = this.writableView(bank, frame, offset);
      const to = new Uint8Array(view.buffer, view.byteOffset + word * 4 + offset, bytes);
      to.set(from.subarray(start, start + bytes));
    }
  }

  /** Where each page of a range is. */
  #pieces(va: bigint, range: Uint8Array, number: number): Piece[] {
    checkAddress(va);
    if (Object.prototype.toString.call(range) !== '[object Uint8Array]')
      throw new VmError('EINVAL', 'the bytes are no Uint8Array', { address: va });
    if (va + BigInt(range.length) > 1n << 64n) {
      throw new VmError('ERANGE', `${range.length} bytes end beyond 64 bits`, { address: va });
    }
    const pieces: Piece[] = [];
    for (let from = 0; from < range.length; ) {
      const at = va + BigInt(from);
      const lo = Number(BigInt.asIntN(32, at));
      const line = this.lineOf(Number(BigInt.asIntN(32, at >> 32n)), lo, number);
      const offset = lo & 4095;
      const bytes = Math.min(4096 - offset, range.length - from);
      const bank = this.bankOf(line);
      const frame = this.frames[line >> 2] as number;
      if (bank < 0) this.requireIo(frame, offset);
      pieces.push({ frame, bank, word: this.held[line + 2] as number, offset, from, bytes });
      from += bytes;
    }
    return pieces;
  }
}

/** The part of a range that is in one page. */
interface Piece {
  readonly frame: number;
  readonly bank: number;
  readonly word: number;
  readonly offset: number;
  /** Index of its first byte in the range. */
  readonly from: number;
  readonly bytes: number;
}
