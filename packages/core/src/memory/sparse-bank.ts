import { checkAddress } from '../check/address.js';
import { flagOption, wrongValue } from '../check/members.js';
import { optionsOf } from '../check/options.js';
import { VmError } from '../errors.js';
import type { EntryReader, RunLoops } from '../loops/run-loops.js';
import { SharedEntries } from '../loops/shared-entries.js';
import { type Bank, type ByteBank, checkPageShift, type MakeLoops, PHYSICAL_ADDRESS_BITS } from './bank.js';
import { lastAtOrBelow, readOnly } from './bank-search.js';
import { FrameIndex } from './frame-index.js';
import { isShared } from './host.js';

/** A read-only image of single frames, as in a memory dump. */
export interface SparseImage {
  /** log2 of the frame size in bytes: 12, 14 or 16. */
  readonly pageShift: number;
  /** Physical address of each frame, a multiple of the frame size. In any order, none twice. */
  readonly addresses: BigUint64Array | readonly bigint[];
  /**
   * The frames one after another: frame `i` is `bytes[i << pageShift ..]`. Used in place when aligned to 8
   * bytes.
   */
  readonly bytes: Uint8Array;
  /**
   * Whether frames that the image lacks are zero, as in dumps that leave out frames of zeros. A missing table then
   * reads as empty. The image then takes all physical addresses, so it is the only bank of its memory, and the
   * frames are copied once. Default: false, the image has no bytes there.
   */
  readonly zeros?: boolean;
}

const NAMES = ['pageShift', 'addresses', 'bytes', 'zeros'] as const;

/** Bytes of the largest frame that a table page can be. */
const ZEROS = 65536;

/**
 * Makes a read-only bank of single frames, for `PhysicalMemory.of`.
 *
 * @param image - frame size, where each frame was, and the frames.
 * @throws VmError `EINVAL` for an invalid address, an address given twice, or bytes of another length.
 * @example
 * ```ts
 * const memory = PhysicalMemory.of([sparseBank({ pageShift: 12, addresses, bytes })]);
 * ```
 */
export function sparseBank(image: SparseImage): Bank {
  return new SparseBank(image);
}

/**
 * A read-only image of single frames.
 *
 * Frames that follow each other both in address and in the image are one *run*. The look-up of a frame of the
 * image's size uses a hash table. Other look-ups are a binary search over the runs. Both are plain numbers, no
 * object per frame.
 *
 * Where missing frames are zero, one frame of zeros stands behind the frames of the image, for all of them.
 */
class SparseBank implements ByteBank {
  readonly base: bigint;
  readonly bytes: number;
  readonly writable: boolean = false;
  readonly linear: boolean = false;
  readonly start: number;
  readonly end: number;
  readonly words: Int32Array;
  loops: RunLoops | null = null;
  readonly atomic: EntryReader | null;
  readonly #quads: BigUint64Array;
  readonly #pageShift: number;
  readonly #frames: FrameIndex | null;
  /** Byte offset of the zeros for missing frames; -1 where those have no bytes. */
  readonly #zeros: number;
  /** For each run: physical address of its first byte, ascending. */
  readonly #starts: Float64Array;
  /** For each run: physical address after its last byte. */
  readonly #ends: Float64Array;
  /** For each run: where it begins in the image, in bytes. */
  readonly #offsets: Float64Array;

  constructor(given: SparseImage) {
    const image = optionsOf<Partial<SparseImage>>(given, NAMES, 'sparseBank()') as SparseImage;
    const { pageShift, bytes } = image;
    checkPageShift(pageShift);
    checkBytes(image);
    const size = 2 ** pageShift;
    const addresses = checkedAddresses(image, size);
    const slots = ascending(addresses);
    const isZero = flagOption(image, 'zeros', false);

    const starts: number[] = [];
    const ends: number[] = [];
    const offsets: number[] = [];
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i] as number;
      const address = addresses[slot] as number;
      const last = starts.length - 1;
      const end = ends[last];
      if (end !== undefined && address < end) {
        throw new VmError('EINVAL', 'the image has this frame twice', { address: BigInt(address) });
      }
      const follows =
        end === address && (offsets[last] as number) + end - (starts[last] as number) === slot * size;
      if (follows) {
        ends[last] = address + size;
      } else {
        starts.push(address);
        ends.push(address + size);
        offsets.push(slot * size);
      }
    }
    this.#starts = Float64Array.from(starts);
    this.#ends = Float64Array.from(ends);
    this.#offsets = Float64Array.from(offsets);
    this.start = isZero ? 0 : (starts[0] as number);
    this.end = isZero ? 2 ** PHYSICAL_ADDRESS_BITS : (ends[ends.length - 1] as number);
    this.#pageShift = pageShift;
    // A larger image has more words than a signed 32-bit word counts. Its frames are found by search.
    this.#frames = bytes.length > 2 ** 33 ? null : new FrameIndex(addresses.map((address) => address / size));
    this.#zeros = isZero ? bytes.length : -1;
    this.base = BigInt(this.start);
    this.bytes = bytes.length;

    // Files are often read into slices that begin anywhere. Those are copied once, but not with `slice`:
    // that of a Node Buffer gives a view.
    const aligned = isZero ? withZeros(bytes) : bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes);
    this.words = new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4);
    this.#quads = new BigUint64Array(aligned.buffer, aligned.byteOffset, aligned.length / 8);
    this.atomic = isShared(aligned.buffer) ? new SharedEntries(this) : null;
  }

  useLoops(make: MakeLoops): void {
    this.loops ??= make(this, false);
  }

  wordOf(pfn: number, pageShift: number): number {
    return Number.isInteger(pfn) ? this.wordAt(pfn | 0, Math.floor(pfn / 4294967296), pageShift) : -1;
  }

  wordAt(low: number, high: number, pageShift: number): number {
    const frames = this.#frames;
    if (pageShift === this.#pageShift && frames !== null) {
      const place = frames.find(low, high);
      if (place >= 0) return place << (pageShift - 2);
      if (this.#zeros < 0) return -1;
    }
    const size = 2 ** pageShift;
    const address = (high * 4294967296 + (low >>> 0)) * size;
    return this.#adjacent(address, size) < size ? -1 : this.offsetOf(address) / 4;
  }

  offsetOf(address: number): number {
    const run = this.#runOf(address);
    if (run >= 0) return address - (this.#starts[run] as number) + (this.#offsets[run] as number);
    return this.#zeros < 0 || address < 0 || address >= this.end ? -1 : this.#zeros + (address % ZEROS);
  }

  adjacent(address: number): number {
    return this.#adjacent(address, ZEROS - (address % ZEROS));
  }

  /** As `adjacent`. @param zeros - most bytes that it is for missing frames. */
  #adjacent(address: number, zeros: number): number {
    const before = lastAtOrBelow(this.#starts, address);
    const end = before < 0 ? 0 : (this.#ends[before] as number);
    if (address < end) return end - address;
    if (this.#zeros < 0 || address < 0 || address >= this.end) return 0;
    const next = before + 1 < this.#starts.length ? (this.#starts[before + 1] as number) : this.end;
    return Math.min(next - address, zeros);
  }

  read32(offset: number): number {
    return (this.words[offset / 4] as number) >>> 0;
  }

  read64(offset: number): bigint {
    const at = offset / 8;
    return this.atomic === null ? (this.#quads[at] as bigint) : Atomics.load(this.#quads, at);
  }

  write32(): void {
    throw readOnly(this.base);
  }

  write64(): void {
    throw readOnly(this.base);
  }

  /** The run that holds an address; -1 when there is none. */
  #runOf(address: number): number {
    const run = lastAtOrBelow(this.#starts, address);
    return run >= 0 && address < (this.#ends[run] as number) ? run : -1;
  }
}

/** The bytes, and a frame of zeros. */
function withZeros(bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(bytes.length + ZEROS);
  all.set(bytes);
  return all;
}

function checkBytes(image: SparseImage): void {
  const { addresses, bytes, pageShift } = image;
  if (Object.prototype.toString.call(bytes) !== '[object Uint8Array]') {
    throw wrongValue('bytes', bytes, 'a Uint8Array');
  }
  if (
    !Array.isArray(addresses) &&
    !(Object.prototype.toString.call(addresses) === '[object BigUint64Array]')
  ) {
    throw wrongValue('addresses', addresses, 'a BigUint64Array or an array of bigints');
  }
  if (addresses.length === 0) throw new VmError('EINVAL', 'an image needs at least one frame');
  const expected = addresses.length * 2 ** pageShift;
  if (bytes.length !== expected) {
    throw new VmError(
      'EINVAL',
      `${addresses.length} frames of ${2 ** pageShift} bytes need ${expected} bytes, not ${bytes.length}`,
    );
  }
}

/** The addresses as numbers. They are a copy, so later changes by the caller move no frame. */
function checkedAddresses(image: SparseImage, size: number): Float64Array {
  const limit = 1n << BigInt(PHYSICAL_ADDRESS_BITS);
  return Float64Array.from(image.addresses, (address: unknown, i) => {
    const what = `addresses[${i}]`;
    checkAddress(address, what);
    if (address >= limit || address % BigInt(size) !== 0n)
      throw wrongValue(what, address, `a multiple of ${size} below 2^${PHYSICAL_ADDRESS_BITS}`);
    return Number(address);
  });
}

/** The frames' places in the image, in the order of their addresses. */
function ascending(addresses: Float64Array): Uint32Array {
  const slots = Uint32Array.from(addresses.keys());
  const sorted = addresses.every((address, i) => i === 0 || (addresses[i - 1] as number) < address);
  if (!sorted) slots.sort((a, b) => (addresses[a] as number) - (addresses[b] as number));
  return slots;
}
