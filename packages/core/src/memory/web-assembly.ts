/**
 * The part of a `WebAssembly.Memory` that vmarea uses. Any real one fits; core names no DOM or Node type.
 *
 * Growth replaces `buffer`: the old ArrayBuffer is detached, an old SharedArrayBuffer stays usable.
 * Source: WebAssembly JavaScript Interface, "refresh the memory buffer".
 */
export interface WebAssemblyMemoryLike {
  /** All its bytes, as they are now. */
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  /** Adds pages of 64 KiB; returns the former number of pages. */
  grow(delta: number): number;
}
