import { type Bank, joinWords, VmError } from '@vmarea/core';
import type { DeviceIo } from './device-io.js';
import { isShared } from './store-entry.js';
import { noBytes, Translating } from './translating.js';

/** Checks a value of 64 bits. @throws VmError `EINVAL` for anything but a bigint. @internal */
export function checkedQuad(value: unknown): bigint {
  if (typeof value === 'bigint') return value;
  throw new VmError('EINVAL', `a value of 64 bits is ${String(value)}`, {
    advice: 'pass a bigint; store64Words takes numbers',
  });
}

/**
 * The accesses that a hit does not serve: misses, those that are not aligned or cross a page, other banks, devices.
 *
 * An access to two pages checks both before its first byte is written. When the second one faults, the first may have its dirty bit
 * set, as on hardware.
 */
export abstract class FarData extends Translating {
  /** @internal Who serves devices; `null` for nobody. */
  protected io: DeviceIo | null = null;
  /** Bits 63..32 of the last load of 64 bits as words, or of the last exchange of 64 bits; signed. */
  high = 0;

  /** @internal Loads up to 8 bytes: returns the low word, signed, and leaves the high one in `high`. */
  protected loadFar(vaHi: number, vaLo: number, size: number, number: number): number {
    const line = this.lineOf(vaHi | 0, vaLo | 0, number);
    const offset = vaLo & 4095;
    if (offset + size > 4096) return this.#loadAcross(vaHi, vaLo, size, number, line);
    const bank = this.bankOf(line);
    if (bank < 0) return this.#loadDevice(this.frames[line >> 2] as number, offset, size);
    const view = this.banks.view(bank);
    const at = (this.held[line + 2] as number) * 4 + offset;
    if (size === 4) return view.getInt32(at, true);
    if (size === 1) return view.getUint8(at);
    if (size === 2) return view.getUint16(at, true);
    if (at % 8 === 0 && isShared(view.buffer)) return this.#keep(Atomics.load(quadAt(view, at), 0));
    this.high = view.getInt32(at + 4, true);
    return view.getInt32(at, true);
  }

  /** @internal Stores up to 8 bytes. */
  protected storeFar(vaHi: number, vaLo: number, size: number, number: number, hi: number, lo: number): void {
    const line = this.lineOf(vaHi | 0, vaLo | 0, number);
    const offset = vaLo & 4095;
    if (offset + size > 4096) {
      this.#storeAcross(vaHi, vaLo, size, number, hi, lo, line);
      return;
    }
    const bank = this.bankOf(line);
    const frame = this.frames[line >> 2] as number;
    if (bank < 0) this.#storeDevice(frame, offset, size, hi, lo);
    else
      this.#storeInto(
        this.#writable(bank, frame, offset),
        (this.held[line + 2] as number) * 4 + offset,
        size,
        hi,
        lo,
      );
  }

  /** @internal One byte at a place that is known already: `bank` -1 for a device. */
  protected byteAt(bank: number, word: number, frame: number, offset: number): number {
    if (bank < 0) return this.#loadDevice(frame, offset, 1) & 255;
    return this.banks.view(bank).getUint8(word * 4 + offset);
  }

  /** @internal The same for a store. */
  protected storeByteAt(bank: number, word: number, frame: number, offset: number, value: number): void {
    if (bank < 0) this.#storeDevice(frame, offset, 1, 0, value & 255);
    else this.#writable(bank, frame, offset).setUint8(word * 4 + offset, value);
  }

  /** @internal The bytes of a bank to store into. */
  protected writableView(bank: number, frame: number, offset: number): DataView {
    return this.#writable(bank, frame, offset);
  }

  /** @internal Refuses a frame without bytes that nobody serves. */
  protected requireIo(frame: number, offset: number): void {
    if (this.io === null) throw noBytes(frame, offset);
  }

  #loadAcross(vaHi: number, vaLo: number, size: number, number: number, line: number): number {
    const first = this.#placeOf(line);
    const second = this.#placeOfNext(vaHi, vaLo, number);
    const offset = vaLo & 4095;
    this.#requirePlaces(first, second, offset);
    let lo = 0;
    let hi = 0;
    for (let i = 0; i < size; i++) {
      const { bank, word, frame } = offset + i < 4096 ? first : second;
      const byte = this.byteAt(bank, word, frame, (offset + i) & 4095);
      if (i < 4) lo |= byte << (8 * i);
      else hi |= byte << (8 * i - 32);
    }
    this.high = hi;
    return lo;
  }

  #storeAcross(
    vaHi: number,
    vaLo: number,
    size: number,
    number: number,
    hi: number,
    lo: number,
    line: number,
  ): void {
    const first = this.#placeOf(line);
    const second = this.#placeOfNext(vaHi, vaLo, number);
    const offset = vaLo & 4095;
    // What cannot be written is refused before the first byte.
    this.#requirePlaces(first, second, offset);
    if (first.bank >= 0) this.#writable(first.bank, first.frame, offset);
    if (second.bank >= 0) this.#writable(second.bank, second.frame, 0);
    for (let i = 0; i < size; i++) {
      const { bank, word, frame } = offset + i < 4096 ? first : second;
      const byte = (i < 4 ? lo >>> (8 * i) : hi >>> (8 * i - 32)) & 255;
      this.storeByteAt(bank, word, frame, (offset + i) & 4095, byte);
    }
  }

  /** Refuses two pages of which one has no bytes and nobody to serve it. */
  #requirePlaces(first: Place, second: Place, offset: number): void {
    if (first.bank < 0) this.requireIo(first.frame, offset);
    if (second.bank < 0) this.requireIo(second.frame, 0);
  }

  /** Where a line's page is. The line itself may be another page's after the next look-up. */
  #placeOf(line: number): Place {
    return {
      bank: this.bankOf(line),
      word: this.held[line + 2] as number,
      frame: this.frames[line >> 2] as number,
    };
  }

  /** Where the page after that of an address is. */
  #placeOfNext(vaHi: number, vaLo: number, number: number): Place {
    const next = (vaLo >>> 12) + 1;
    const hi = next === 1048576 ? (vaHi + 1) | 0 : vaHi | 0;
    return this.#placeOf(this.lineOf(hi, (next << 12) | 0, number));
  }

  #loadDevice(frame: number, offset: number, size: number): number {
    if (this.io === null) throw noBytes(frame, offset);
    const value: unknown = this.io.load(addressOf(frame, offset), size);
    if (typeof value !== 'bigint')
      throw new VmError('EINVAL', `io.load returned ${String(value)}`, {
        address: addressOf(frame, offset),
        advice: 'return a bigint',
      });
    return this.#keep(value, size);
  }

  #storeDevice(frame: number, offset: number, size: number, hi: number, lo: number): void {
    if (this.io === null) throw noBytes(frame, offset);
    const value = size === 8 ? joinWords(lo, hi) : BigInt(size === 4 ? lo >>> 0 : lo & (256 ** size - 1));
    this.io.store(addressOf(frame, offset), size, value);
  }

  #storeInto(view: DataView, at: number, size: number, hi: number, lo: number): void {
    if (size === 4) view.setInt32(at, lo, true);
    else if (size === 1) view.setUint8(at, lo);
    else if (size === 2) view.setUint16(at, lo, true);
    else if (at % 8 === 0 && isShared(view.buffer)) Atomics.store(quadAt(view, at), 0, joinWords(lo, hi));
    else {
      view.setInt32(at, lo, true);
      view.setInt32(at + 4, hi, true);
    }
  }

  #writable(bank: number, frame: number, offset: number): DataView {
    if ((this.banks.all[bank] as Bank).writable) return this.banks.view(bank);
    throw new VmError('EPERM', 'these bytes are read-only', { address: addressOf(frame, offset) });
  }

  /** The low word of a value; the high one goes to `high`. */
  #keep(value: bigint, size = 8): number {
    this.high = Number(BigInt.asIntN(32, value >> 32n));
    const lo = Number(BigInt.asIntN(32, value));
    return size === 1 ? lo & 255 : size === 2 ? lo & 65535 : lo;
  }
}

interface Place {
  readonly bank: number;
  readonly word: number;
  readonly frame: number;
}

function addressOf(frame: number, offset: number): bigint {
  return BigInt(frame) * 4096n + BigInt(offset);
}

function quadAt(view: DataView, at: number): BigUint64Array {
  return new BigUint64Array(view.buffer, view.byteOffset + at, 1);
}
