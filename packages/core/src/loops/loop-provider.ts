import type { EntryWords, RunLoops } from './run-loops.js';

/**
 * The part of a `WebAssembly.Memory` that vmarea uses. Any real one fits. Core names no DOM or Node type.
 *
 * Growth replaces `buffer`: the old ArrayBuffer is detached, an old SharedArrayBuffer stays usable. Source:
 * WebAssembly JavaScript Interface, "refresh the memory buffer".
 */
export interface WebAssemblyMemoryLike {
  /** All its bytes at this moment. */
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  /** Adds pages of 64 KiB. Returns the former number of pages. */
  grow(delta: number): number;
}

/** Where the bytes of a bank are. */
export interface LoopPlace {
  /** The memory that holds them. */
  readonly memory: WebAssemblyMemoryLike;
  /** The memory's buffer is a SharedArrayBuffer. */
  readonly isShared: boolean;
  /** Byte offset of the bank in the memory. */
  readonly byteOffset: number;
  /**
   * Byte offset of the pages that this thread's loops may write to; `null` for none. At 0 there are two, right
   * before the bank (`SCRATCH_BYTES`). Elsewhere there is one, for frames.
   */
  readonly scratch: number | null;
}

/**
 * Faster loops over page-table entries than those in JavaScript, for `PhysicalMemory.create` and `over`. A
 * bundle that imports no provider does not contain one. Core has one: `wasmLoops`.
 */
export interface LoopProvider {
  /**
   * Makes new memory of zeros for a bank.
   *
   * @param bytes - length of the bank.
   * @returns the place of the bank; `null` when the host cannot give such memory. The bank then gets a
   *   buffer and the JavaScript loops.
   */
  create(bytes: number, isShared: boolean): LoopPlace | null;
  /** Makes the loops of a bank. */
  over(bank: EntryWords, place: LoopPlace): RunLoops;
}
