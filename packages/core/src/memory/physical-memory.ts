import { checkAddress } from '../check/address.js';
import { copyList } from '../check/list.js';
import { wrongValue } from '../check/members.js';
import { optionsOf } from '../check/options.js';
import { hex, isArray, shown, VmError } from '../errors.js';
import { printsItself, sizeText } from '../prints.js';
import {
  type Bank,
  type BankOptions,
  type BankPlacement,
  type BankSource,
  type ByteBank,
  type CreatedBank,
  checkCount,
  checkPageShift,
  type GivenBank,
  type MakeLoops,
} from './bank.js';
import { lastAtOrBelow, readOnly } from './bank-search.js';
import { requireLittleEndian } from './host.js';
import { LinearBank } from './linear-bank.js';

/**
 * Physical memory: one or more banks of real bytes, each at a physical base. Page tables are stored in it.
 *
 * Frames that are only mapped need no bytes, so a memory of some megabytes serves an address space that maps
 * terabytes. Addresses are bytes as `bigint`. Words are little-endian.
 *
 * @example
 * ```ts
 * const ram = PhysicalMemory.create({ bytes: 64 * 2 ** 20, base: 0x8000_0000n });
 * ram.write64(0x8000_1000n, 0x8000_0000_0000_0163n);
 * ram.read32(0x8000_1004n); // 0x80000000
 *
 * const guest = PhysicalMemory.over(new WebAssembly.Memory({ initial: 1024 }), { byteOffset: 65536 });
 * ```
 */
export class PhysicalMemory {
  /** The banks, ascending by base. */
  readonly banks: readonly Bank[];
  readonly #banks: readonly ByteBank[];
  /** The banks' first addresses, for the search. */
  readonly #starts: Float64Array;
  /** The bank of the last access by number: most accesses are near each other. */
  #near: ByteBank;

  private constructor(banks: ByteBank[]) {
    requireLittleEndian();
    printsItself(new.target.prototype);
    if (banks.length === 0) throw new VmError('EINVAL', 'a memory needs at least one bank');
    banks.sort((a, b) => a.start - b.start);
    for (let i = 1; i < banks.length; i++) {
      const before = banks[i - 1] as ByteBank;
      const bank = banks[i] as ByteBank;
      if (bank.start < before.end) {
        throw new VmError('EINVAL', `banks overlap: ${span(before)} and ${span(bank)}`, {
          address: bank.base,
        });
      }
    }
    this.#banks = Object.freeze(banks);
    this.#starts = Float64Array.from(banks, (bank) => bank.start);
    this.banks = this.#banks;
    this.#near = banks[0] as ByteBank;
  }

  /**
   * A memory of new zero bytes.
   *
   * @param o - its length and place; `shared` for use by several workers.
   * @throws VmError `EINVAL` for an invalid place; `ENOMEM` when the host has too little memory.
   */
  static create(o: CreatedBank): PhysicalMemory {
    return new this([LinearBank.create(o)]);
  }

  /**
   * A memory over existing bytes: an emulator's guest RAM, or a dump (`writable: false`).
   *
   * A WebAssembly.Memory may grow later. The bank keeps its length and follows the new buffer.
   *
   * @param source - where the bytes are.
   * @param o - which of them, and at which physical address. Default: all of them, from 0n on.
   * @throws VmError `EINVAL` for an invalid place, or one that does not fit into the source.
   */
  static over(source: BankSource, o?: BankPlacement): PhysicalMemory {
    return new this([
      LinearBank.over({ ...optionsOf(o, PLACEMENT, 'PhysicalMemory.over()'), source } as GivenBank),
    ]);
  }

  /**
   * A memory of several banks.
   *
   * @param banks - in any order. None may overlap another. An image takes all addresses from its lowest to
   *   its highest frame.
   * @throws VmError `EINVAL` for an invalid bank, or two that overlap; `ENOMEM` when the host has too little
   *   memory.
   * @example
   * ```ts
   * const memory = PhysicalMemory.of([
   *   { bytes: 2 ** 20, base: 0n },
   *   { source: guest, base: 0x1_0000_0000n },
   *   sparseBank(image),
   * ]);
   * ```
   */
  static of(banks: readonly BankOptions[]): PhysicalMemory {
    return new this(copyList(banks, 'banks', () => true).map(open));
  }

  /**
   * The bank that holds a frame.
   *
   * @param pfn - frame number.
   * @param pageShift - log2 of the frame size in bytes: 12, 14 or 16.
   * @returns `null` when no bank holds the whole frame.
   * @throws VmError `EINVAL` for an invalid frame number or page size.
   */
  bankOf(pfn: number, pageShift: number): Bank | null {
    return this.locate(pfn, pageShift)?.bank ?? null;
  }

  /**
   * Where a frame's bytes are.
   *
   * @param pfn - frame number.
   * @param pageShift - log2 of the frame size in bytes: 12, 14 or 16. Default: 12.
   * @returns the bank and the index of the frame's first word in `bank.words`; `null` when no bank holds the
   *   whole frame. For a `sourceBank` it is a bank of this frame alone.
   * @throws VmError `EINVAL` for an invalid frame number or page size.
   */
  locate(pfn: number, pageShift: number = 12): { bank: Bank; word: number } | null {
    checkPageShift(pageShift);
    checkCount(pfn, 'pfn');
    const holder = this.#banks[lastAtOrBelow(this.#starts, pfn * 2 ** pageShift)];
    if (holder === undefined) return null;
    const bank = holder.frameBank === undefined ? holder : holder.frameBank(pfn, pageShift);
    if (bank === null) return null;
    const word = bank.wordOf(pfn, pageShift);
    return word < 0 ? null : { bank, word };
  }

  /**
   * Reads 32 bits.
   *
   * @param pa - physical address in bytes, a multiple of 4.
   * @returns the word, unsigned.
   * @throws VmError `EINVAL` for a misaligned address; `EFAULT` where there are no bytes.
   */
  read32(pa: bigint): number {
    const address = checkedAddress(pa, 4);
    const bank = this.#bankAt(address, pa);
    return bank.read32(bank.offsetOf(address));
  }

  /**
   * Reads 32 bits as `read32` does, with numbers only: for loops, in which a bigint takes most of the time.
   *
   * @param pa - physical address in bytes, a multiple of 4, as a number. It is exact below 2^53, and memory ends at 2^52.
   * @returns the word, signed; `>>> 0` makes it unsigned.
   * @throws VmError `EINVAL` for a misaligned address, or anything but a number; `ERANGE` for a negative one; `EFAULT`
   *   where there are no bytes.
   */
  readSigned32(pa: number): number {
    const near = this.#near;
    // A text would be compared as a number.
    const offset = typeof pa === 'number' ? near.offsetOf(pa) : -1;
    if (offset >= 0 && (offset & 3) === 0 && Math.floor(offset) === offset) return near.read32(offset) | 0;
    return this.#readFar(pa);
  }

  /**
   * Reads 64 bits, on shared memory as one atomic.
   *
   * @param pa - physical address in bytes, a multiple of 8.
   * @returns the word, unsigned.
   * @throws VmError `EINVAL` for a misaligned address; `EFAULT` where there are no bytes.
   */
  read64(pa: bigint): bigint {
    const address = checkedAddress(pa, 8);
    const bank = this.#bankAt(address, pa);
    return bank.read64(bank.offsetOf(address));
  }

  /**
   * Writes 32 bits.
   *
   * @param pa - physical address in bytes, a multiple of 4.
   * @param value - signed or unsigned: -2^31 to 2^32 - 1.
   * @throws VmError `EINVAL` for a misaligned address, or a value that is not a 32-bit integer; `EFAULT`
   *   where there are no bytes; `EPERM` in an image.
   */
  write32(pa: bigint, value: number): void {
    const address = checkedAddress(pa, 4);
    if (!Number.isInteger(value) || value < -0x8000_0000 || value > 0xffff_ffff) {
      throw new VmError('EINVAL', `the value must be a 32-bit integer, not ${shown(value)}`, {
        address: pa,
      });
    }
    const bank = this.#writableBankAt(address, pa);
    bank.write32(bank.offsetOf(address), value);
  }

  /**
   * Writes 64 bits, on shared memory as one atomic.
   *
   * @param pa - physical address in bytes, a multiple of 8.
   * @param value - signed or unsigned: -2^63 to 2^64 - 1.
   * @throws VmError `EINVAL` for a misaligned address, or a value that is not a 64-bit integer; `EFAULT`
   *   where there are no bytes; `EPERM` in an image.
   */
  write64(pa: bigint, value: bigint): void {
    const address = checkedAddress(pa, 8);
    if (typeof value !== 'bigint' || value < -(1n << 63n) || value >= 1n << 64n) {
      throw new VmError('EINVAL', `the value must be a 64-bit bigint, not ${shown(value)}`, { address: pa });
    }
    const bank = this.#writableBankAt(address, pa);
    bank.write64(bank.offsetOf(address), value);
  }

  /**
   * The bytes of a range, as a view of the bank itself. It is a copy only where an image keeps the frames of
   * the range apart, and in a `sourceBank`. Do not write into the bytes of a bank that is not writable: JavaScript has no read-only
   * views.
   *
   * @param pa - physical address in bytes of the first.
   * @param length - number of bytes, 1 or more.
   * @throws VmError `EFAULT` with the first address that has no bytes; `EINVAL` for an empty range, or one
   *   over two banks.
   */
  bytesAt(pa: bigint, length: number): Uint8Array {
    const address = checkedAddress(pa, 1);
    checkCount(length, 'length');
    if (length === 0) throw new VmError('EINVAL', 'the range is empty', { address: pa });
    const bank = this.#bankAt(address, pa);
    const first = bank.adjacent(address);
    if (length <= first) return view(bank, address, length);
    // The whole range is checked before anything is copied, so a length beyond all memory costs nothing.
    for (let done = first; done < length; done += bank.adjacent(address + done)) {
      if (bank.adjacent(address + done) === 0)
        throw this.#noBytes(address + done, BigInt(address + done), bank);
    }
    const copy = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const part = Math.min(bank.adjacent(address + done), length - done);
      copy.set(view(bank, address + done, part), done);
      done += part;
    }
    return copy;
  }

  /**
   * Gives loops to the banks that have none. A page table that may change the memory calls it.
   *
   * @internal
   */
  useLoops(make: MakeLoops): void {
    for (const bank of this.#banks) bank.useLoops(make);
  }

  /** Its banks, a line each. */
  toString(): string {
    const bytes = this.banks.reduce((sum, bank) => sum + bank.bytes, 0);
    const lines = this.#banks.slice(0, SHOWN).map((bank) => `  ${span(bank)} ${kindOf(bank)}`);
    const others = this.banks.length - SHOWN;
    if (others > 0) lines[SHOWN - 1] = `  and ${others + 1} more banks`;
    return [`PhysicalMemory of ${sizeText(bytes)}`, ...lines].join('\n');
  }

  /** What `readSigned32` does at an address in another bank, and with a wrong one. */
  #readFar(pa: number): number {
    if (!Number.isSafeInteger(pa)) throw wrongValue('the physical address', pa, 'an integer below 2^53');
    const address = checkedAddress(BigInt(pa), 4);
    const bank = this.#bankAt(address, BigInt(pa));
    this.#near = bank;
    return bank.read32(bank.offsetOf(address)) | 0;
  }

  #bankAt(address: number, pa: bigint): ByteBank {
    const bank = this.#banks[lastAtOrBelow(this.#starts, address)];
    if (bank === undefined || bank.offsetOf(address) < 0) throw this.#noBytes(address, pa);
    return bank;
  }

  #writableBankAt(address: number, pa: bigint): ByteBank {
    const bank = this.#bankAt(address, pa);
    if (!bank.writable) throw readOnly(pa);
    return bank;
  }

  /** @param from - the bank in which a range begins: another bank may have bytes here. */
  #noBytes(address: number, pa: bigint, from: ByteBank | null = null): VmError {
    const bank = this.#banks[lastAtOrBelow(this.#starts, address)];
    if (from !== null && bank !== undefined && bank.offsetOf(address) >= 0) {
      return new VmError('EINVAL', 'the range continues in another bank, but a view cannot', {
        address: pa,
        advice: 'ask for each part by itself',
      });
    }
    const why = bank?.whyNot?.(address) ?? `there are ${this.#ranges(address)}`;
    return new VmError('EFAULT', `no bytes at this physical address; ${why}`, { address: pa });
  }

  /** The banks around an address, for messages. */
  #ranges(address: number): string {
    const first = Math.max(0, Math.min(lastAtOrBelow(this.#starts, address) - 1, this.#banks.length - SHOWN));
    const text = this.#banks
      .slice(first, first + SHOWN)
      .map(span)
      .join(', ');
    const others = this.#banks.length - SHOWN;
    return others > 0 ? `${text} and ${others} more banks` : text;
  }
}

const PLACEMENT = ['base', 'byteOffset', 'bytes', 'writable', 'loops'] as const;

/** Most banks that a text names. */
const SHOWN = 4;

function open(o: BankOptions): ByteBank {
  if (typeof o !== 'object' || o === null || isArray(o) === undefined)
    throw new VmError('EINVAL', `a bank must be an object, not ${shown(o)}`);
  // A bank that was made before. It is told by what it can do, since another build of this package has its
  // own classes.
  if ('offsetOf' in o) return o as ByteBank;
  if ('addresses' in o)
    throw new VmError('EINVAL', 'an image is not a bank', { advice: 'pass sparseBank(image)' });
  return 'source' in o ? LinearBank.over(o) : LinearBank.create(o as CreatedBank);
}

function view(bank: ByteBank, address: number, length: number): Uint8Array {
  if (bank.bytesOf !== undefined) return bank.bytesOf(address, length);
  const { words } = bank;
  return new Uint8Array(words.buffer, words.byteOffset + bank.offsetOf(address), length);
}

function kindOf({ linear, writable, loops }: Bank): string {
  if (!linear) return 'read-only';
  return `${writable ? 'writable' : 'read-only'}, loops in ${loops?.kind === 'wasm' ? 'WebAssembly' : 'JavaScript'}`;
}

/** First and last address of a bank, for messages. */
function span(bank: ByteBank): string {
  const range = `${hex(bank.base)}-${hex(BigInt(bank.end) - 1n)}`;
  return bank.linear ? range : `${range} (an image with ${bank.bytes} bytes)`;
}

function checkedAddress(pa: unknown, size: number): number {
  checkAddress(pa, 'the physical address');
  if (pa % BigInt(size) !== 0n) {
    throw new VmError(
      'EINVAL',
      `an access of ${size * 8} bits needs an address that is a multiple of ${size}`,
      {
        address: pa,
      },
    );
  }
  return Number(pa);
}
