// Where the scratch pages of a memory have their parts, in bytes from the start of the memory. This file is read by
// TypeScript and by AssemblyScript: constants alone.

/** Bytes of the pages: two pages of WebAssembly. They are the first of their memory; the bank follows. */
export const SCRATCH_BYTES = 131072;
/** The first page: frames that are going to be written. */
export const FRAMES_BYTES = 65536;
/** The walk plan, 134 words: it stays for the walks that follow. */
export const PLAN = 65536;
/** Tables of the last level but one that a batch of walks has met: see assembly/table-cache.ts. */
export const TABLES = 66112;
/** How many walks the page holds. */
export const WALKS = 3584;
/** Their addresses, two words each; then, in the same place, their frames. */
export const ADDRESSES = 67072;
/** Their leaf shifts, a byte each. */
export const SHIFTS = 95744;
