import { shown, VmError } from '../errors.js';
import type { LoopProvider, WebAssemblyMemoryLike } from '../loops/loop-provider.js';
import type { EntryReader, EntryWords, RunLoops } from '../loops/run-loops.js';

/**
 * Width of the physical addresses that memory and allocators accept, in bits.
 *
 * It is the widest that x86-64 (Intel SDM volume 3A, chapter "Paging", MAXPHYADDR) and arm64 (Arm ARM,
 * FEAT_LPA and FEAT_LPA2) translate to. riscv64's entries could name 56 bits (privileged specification,
 * 44-bit PPN); frames above 2^52 have no bytes here.
 */
export const PHYSICAL_ADDRESS_BITS: number = 52;

/** Bank bases and lengths are multiples of this: the smallest frame size of all formats. */
export const BANK_ALIGNMENT: number = 4096;

/** Bytes at physical addresses: one bank of a `PhysicalMemory`. */
export interface Bank {
  /** Physical address of its first byte; a multiple of 4096. */
  readonly base: bigint;
  /**
   * Length in bytes, a multiple of 4096. For an image: all its frames together, without the gaps between
   * them.
   */
  readonly bytes: number;
  /** False for an image. Nothing may then be stored through `words` either. */
  readonly writable: boolean;
  /** True: the byte at `base + n` is byte `n` of `words`. False: a sparse set of frames; see `wordOf`. */
  readonly linear: boolean;
  /**
   * All bytes of the bank as 32-bit words, little-endian.
   *
   * Read this member again after anything that may grow a WebAssembly.Memory: growth empties older views.
   *
   * @throws VmError `EFAULT` when the buffer was transferred away or shrunk.
   */
  readonly words: Int32Array;
  /**
   * Loops over runs of entries in `words`, as fast as this memory allows. Do not store through them where the bank is not
   * writable. `null` until a `PageTable` needs them, unless a provider gave some.
   */
  readonly loops: RunLoops | null;
  /**
   * Reads entries in `words`, each as one 64-bit atomic, where other threads may use the bytes. `null` where
   * none can: there, two plain reads are enough. With two plain reads of shared bytes, half of an entry may be
   * another thread's.
   */
  readonly atomic: EntryReader | null;
  /**
   * Where a frame begins in `words`.
   *
   * @param pfn - frame number.
   * @param pageShift - log2 of the frame size in bytes: 12, 14 or 16. Not checked, since this is the fast
   *   path.
   * @returns the index of its first word; -1 when the frame is not wholly inside the bank.
   */
  wordOf(pfn: number, pageShift: number): number;
  /**
   * The same for a frame number of two words, as walks have them.
   *
   * @param low - its bits 31..0, signed or unsigned.
   * @param high - the bits above.
   */
  wordAt(low: number, high: number, pageShift: number): number;
}

/** A bank of new zero bytes. */
export interface CreatedBank {
  /** Length in bytes: a multiple of 4096, at least 4096. */
  readonly bytes: number;
  /** Physical address of the first byte: a multiple of 4096. Default: 0n. */
  readonly base?: bigint;
  /** True: its buffer is a SharedArrayBuffer, for several workers. Default: false. */
  readonly shared?: boolean;
  /**
   * Faster loops than those in JavaScript: `wasmLoops`. Default: loops in JavaScript over an ArrayBuffer or
   * SharedArrayBuffer.
   */
  readonly loops?: LoopProvider;
}

/** How existing bytes become a bank. */
export interface BankPlacement {
  /** Physical address of the first byte: a multiple of 4096. Default: 0n. */
  readonly base?: bigint;
  /** Where the bank begins in the source, in bytes: a multiple of 8 (64-bit atomics need it). Default: 0. */
  readonly byteOffset?: number;
  /** Length in bytes: a multiple of 4096. Default: all up to the end of the source. */
  readonly bytes?: number;
  /** False: a read-only image. Default: true. */
  readonly writable?: boolean;
  /**
   * Faster loops than those in JavaScript, for bytes in a WebAssembly.Memory: `wasmLoops`. Default: loops in
   * JavaScript.
   */
  readonly loops?: LoopProvider;
}

/** What a bank can be made over. */
export type BankSource = ArrayBuffer | SharedArrayBuffer | WebAssemblyMemoryLike;

/** A bank over existing bytes. */
export interface GivenBank extends BankPlacement {
  /** Where the bytes are. */
  readonly source: BankSource;
}

/** One bank of `PhysicalMemory.of`: of new bytes, over given ones, or made before by `sparseBank` or `sourceBank`. */
export type BankOptions = CreatedBank | GivenBank | Bank;

/**
 * What `PhysicalMemory` needs of a bank beyond its public members. Addresses are numbers: exact up to 2^53.
 */
export interface ByteBank extends Bank {
  /** Takes loops where it has none. */
  useLoops(make: MakeLoops): void;
  /** Physical address of the first byte. */
  readonly start: number;
  /** Physical address after the last byte. For an image: after its highest frame. */
  readonly end: number;
  /** Byte offset of an address in `words`; -1 when the bank has no byte there. */
  offsetOf(address: number): number;
  /** Number of bytes, from an address on, that follow each other in `words` too; 0 for none. */
  adjacent(address: number): number;
  /** Unsigned 32-bit word at a byte offset. */
  read32(offset: number): number;
  /** Unsigned 64-bit word at a byte offset. */
  read64(offset: number): bigint;
  /** Stores the low 32 bits at a byte offset. */
  write32(offset: number, value: number): void;
  /** Stores the low 64 bits at a byte offset. */
  write64(offset: number, value: bigint): void;
  /**
   * The bank of one frame, where the bank has no words of its own because it fetches its frames; `null` when it lacks a part of
   * the frame.
   */
  frameBank?(pfn: number, pageShift: number): ByteBank | null;
  /** In such a bank: a copy of bytes that `adjacent` gave. */
  bytesOf?(address: number, length: number): Uint8Array;
  /** In such a bank: why it has no byte at an address, a clause; `null` when it does not know. */
  whyNot?(address: number): string | null;
}

/** Makes the loops of a bank; `isShared` when other threads may use its bytes too. */
export type MakeLoops = (bank: EntryWords, isShared: boolean) => RunLoops;

/**
 * The loops of a bank of a page table that may be changed: it gave every bank of its memory some.
 */
export function loopsOf(bank: Bank): RunLoops {
  return bank.loops as RunLoops;
}

/** True for the base page sizes that formats have: 4, 16 and 64 KiB. */
export function isPageShift(pageShift: unknown): pageShift is 12 | 14 | 16 {
  return pageShift === 12 || pageShift === 14 || pageShift === 16;
}

/** Refuses anything but a base page size, with `EINVAL`. */
export function checkPageShift(pageShift: unknown): void {
  if (!isPageShift(pageShift)) {
    throw new VmError('EINVAL', `pageShift must be 12, 14 or 16, not ${shown(pageShift)}`);
  }
}

/** Refuses anything but an integer of 0 or more, with `EINVAL`. */
export function checkCount(value: unknown, name: string): asserts value is number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw new VmError('EINVAL', `${name} must be an integer of 0 or more, not ${shown(value)}`);
  }
}
