// Where the scratch page of a memory has its parts, in bytes from the start of the memory. This file is read by TypeScript
// and by AssemblyScript: constants alone. While frames are written they have the whole page; a walk has these.

/** Bytes of the page: one page of WebAssembly. It is the first of its memory; the bank follows. */
export const SCRATCH_BYTES = 65536;
/** The walk plan: 98 words. */
export const PLAN = 0;
/** What a walk makes of its plan first: see assembly/walk-plain.ts. */
export const PREPARED = 392;
/** Tables of the last level but one that a walk has met: see assembly/table-cache.ts. */
export const TABLES = 512;
/** How many walks the page holds. */
export const WALKS = 3584;
/** Their addresses, two words each; then, in the same place, their frames. */
export const ADDRESSES = 1024;
/** Their leaf shifts, a byte each. */
export const SHIFTS = 29696;
