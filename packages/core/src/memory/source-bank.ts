import { wrongValue } from '../check/members.js';
import { optionsOf } from '../check/options.js';
import { shown, VmError } from '../errors.js';
import { BANK_ALIGNMENT, type Bank, type ByteBank, checkCount, PHYSICAL_ADDRESS_BITS } from './bank.js';
import { readOnly } from './bank-search.js';
import { FetchedFrame } from './fetched-frame.js';

/**
 * Physical memory that is read when it is asked for: a dump in a file, the target of a debugger. Addresses are bytes, as
 * numbers below 2^52.
 */
export interface MemorySource {
  /** Address of its first byte. */
  readonly start: number;
  /** Address after its last byte. There may be gaps between. */
  readonly end: number;
  /** Number of bytes that it has, without the gaps. */
  readonly bytes: number;
  /**
   * Number of bytes that can be read from an address on; 0 where there is none. It may give fewer than there are, such as
   * those up to the end of a page.
   */
  adjacent(address: number): number;
  /**
   * Copies bytes. It is asked only for what `adjacent` gave.
   *
   * @throws what the walk or read that needs the bytes then throws, too.
   */
  read(address: number, into: Uint8Array): void;
  /**
   * Whether a frame that has no bytes is known to be zero, as in dumps that leave out frames of zeros. A table there is
   * empty. Reads of bytes stay refused. Default: no frame is.
   */
  isZeroFrame?(address: number, bytes: number): boolean;
  /** Why there is no byte at an address: a clause for the error of a read. Default: none is said. */
  whyNot?(address: number): string | null;
}

/** Options of `sourceBank`. */
export interface SourceBankOptions {
  /** Most frames that are kept: a power of two from 4 to 2^20. Default: 1024, which is 4 MiB of frames of 4 KiB. */
  readonly frames?: number;
}

/**
 * Makes a read-only bank that fetches its frames from a source, for `PhysicalMemory.of`.
 *
 * It keeps the frames that were used last, so memory of any size takes a bounded amount. What holds a frame that the bank no
 * longer keeps, such as the reader of a root or a listing, holds its bytes.
 *
 * The bank has no words of its own: those of a frame are in the bank that `PhysicalMemory.locate` gives. A root of several
 * frames cannot be opened over it, and a processor (`Mmu`) finds no bytes in it.
 *
 * @param source - what has the bytes.
 * @throws VmError `EINVAL` for a source without the members of one, or an invalid option.
 * @example
 * ```ts
 * const memory = PhysicalMemory.of([sourceBank(dump)]);
 * const table = new PageTableReader({ format, memory, root });
 * ```
 */
export function sourceBank(source: MemorySource, options?: SourceBankOptions): Bank {
  return new SourceBank(source, options);
}

const NAMES = ['frames'] as const;
const LIMIT = 2 ** PHYSICAL_ADDRESS_BITS;
/** Frames that may be in the same place of the cache. */
const WAYS = 4;
const MOST_FRAMES = 2 ** 20;

class SourceBank implements ByteBank {
  readonly base: bigint;
  readonly bytes: number;
  readonly writable: boolean = false;
  readonly linear: boolean = false;
  readonly start: number;
  readonly end: number;
  readonly loops = null;
  readonly atomic = null;
  readonly #source: MemorySource;
  /** `WAYS` frames for each set. Which set a frame is in follows from its number. */
  readonly #kept: (FetchedFrame | null)[];
  /** For each set, which of its frames goes next. */
  readonly #next: Uint8Array;

  constructor(source: MemorySource, options: SourceBankOptions | undefined) {
    const { frames = 1024 } = optionsOf(options, NAMES, 'sourceBank()') as SourceBankOptions;
    checkSource(source);
    if (!Number.isInteger(frames) || frames < WAYS || frames > MOST_FRAMES || !isPowerOfTwo(frames))
      throw wrongValue('frames', frames, `a power of two from ${WAYS} to ${MOST_FRAMES}`);
    this.#source = source;
    this.start = source.start - (source.start % BANK_ALIGNMENT);
    this.end = Math.ceil(source.end / BANK_ALIGNMENT) * BANK_ALIGNMENT;
    this.base = BigInt(this.start);
    this.bytes = source.bytes;
    this.#kept = new Array(frames).fill(null);
    this.#next = new Uint8Array(frames / WAYS);
  }

  get words(): Int32Array {
    throw new VmError('EOPNOTSUPP', 'this bank fetches its frames, so it has no words of its own', {
      advice: 'PhysicalMemory.locate gives the bank of one frame',
    });
  }

  useLoops(): void {}

  wordOf(): number {
    return -1;
  }

  wordAt(): number {
    return -1;
  }

  frameBank(pfn: number, pageShift: number): ByteBank | null {
    const set = ((pfn ^ Math.floor(pfn / this.#next.length)) & (this.#next.length - 1)) >>> 0;
    const first = set * WAYS;
    for (let at = first; at < first + WAYS; at++) {
      const frame = this.#kept[at];
      if (frame !== null && frame?.pfn === pfn && frame.pageShift === pageShift) return frame;
    }
    const fetched = this.#fetch(pfn, pageShift);
    if (fetched === null) return null;
    const way = this.#next[set] as number;
    this.#kept[first + way] = fetched;
    this.#next[set] = (way + 1) % WAYS;
    return fetched;
  }

  #fetch(pfn: number, pageShift: number): FetchedFrame | null {
    const size = 2 ** pageShift;
    const address = pfn * size;
    if (!this.#has(address, size)) {
      const isZero = address + size <= LIMIT && this.#source.isZeroFrame?.(address, size) === true;
      return isZero ? new FetchedFrame(pfn, pageShift, new Uint8Array(size)) : null;
    }
    return new FetchedFrame(pfn, pageShift, this.bytesOf(address, size));
  }

  #has(address: number, length: number): boolean {
    for (let done = 0; done < length; ) {
      const part = this.adjacent(address + done);
      if (part === 0) return false;
      done += part;
    }
    return true;
  }

  whyNot(address: number): string | null {
    return this.#source.whyNot?.(address) ?? null;
  }

  offsetOf(address: number): number {
    return this.adjacent(address) === 0 ? -1 : address;
  }

  adjacent(address: number): number {
    return address < this.start || address >= this.end ? 0 : this.#source.adjacent(address);
  }

  bytesOf(address: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const part = Math.min(this.adjacent(address + done), length - done);
      // The caller has looked. A source that says something else now must not hang the loop.
      if (part <= 0)
        throw new VmError('EFAULT', 'the source lost bytes', { address: BigInt(address + done) });
      this.#source.read(address + done, bytes.subarray(done, done + part));
      done += part;
    }
    return bytes;
  }

  read32(address: number): number {
    return this.#view(address, 4).getUint32(0, true);
  }

  read64(address: number): bigint {
    return this.#view(address, 8).getBigUint64(0, true);
  }

  #view(address: number, length: number): DataView {
    return new DataView(this.bytesOf(address, length).buffer);
  }

  write32(): void {
    throw readOnly(this.base);
  }

  write64(): void {
    throw readOnly(this.base);
  }
}

function isPowerOfTwo(value: number): boolean {
  return (value & (value - 1)) === 0;
}

function checkSource(source: MemorySource): void {
  if (typeof source?.adjacent !== 'function' || typeof source.read !== 'function')
    throw new VmError('EINVAL', `the source of a bank is ${shown(source)}`, {
      advice: 'pass an object with start, end, bytes, adjacent and read',
    });
  for (const name of ['start', 'end', 'bytes'] as const) checkCount(source[name], name);
  if (source.start >= source.end || source.end > LIMIT)
    throw new VmError('EINVAL', `a source from ${source.start} to ${source.end} has no bytes below 2^52`);
}
