// The layout of a memory's scratch pages, in bytes from the start of the memory. TypeScript and
// AssemblyScript read this file, so it has only constants.

/**
 * Bytes of the scratch pages: two pages of WebAssembly. They are the first of their memory. The bank
 * follows.
 */
export const SCRATCH_BYTES = 131072;
/** Threads beside the first that get a page for frames in a shared memory, behind its bank. */
export const MORE_THREADS = 15;
/** The first page: frames to be written. */
export const FRAMES_BYTES = 65536;
/** The walk plan, 134 words. It stays for later walks. */
export const PLAN = 65536;
/** Tables of the last level but one that a batch of walks has met; see assembly/table-cache.ts. */
export const TABLES = 66112;
/** How many walks the page can hold. */
export const WALKS = 3584;
/** Their addresses, two words each; later, in the same place, their frames. */
export const ADDRESSES = 67072;
/** Their leaf shifts, one byte each. */
export const SHIFTS = 95744;
