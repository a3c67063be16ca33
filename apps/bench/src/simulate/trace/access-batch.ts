/** What an access does, as a number in a batch: an index of `KINDS`. */
export const FETCH = 0;
export const LOAD = 1;
export const STORE = 2;

/** The words of `@vmarea/mmu` for the kinds of a batch. */
export const KINDS = ['execute', 'read', 'write'] as const;

/** Bytes that a reader parses at once. */
export const WINDOW_BYTES: number = 2 ** 18;
/** No format has more than one access in so many bytes: ` M 0,1` and its line end are two accesses. */
const LEAST_BYTES = 3;

/** A part of a trace: accesses in the order of the trace. One object is refilled, and nothing is allocated. */
export interface AccessBatch {
  /** How many accesses it has. */
  length: number;
  /** `FETCH`, `LOAD` or `STORE`. */
  readonly kind: Uint8Array;
  /** Bits 63..32 of the first address. */
  readonly hi: Uint32Array;
  /** Bits 31..0. */
  readonly lo: Uint32Array;
  /** Bytes; at least 1. */
  readonly bytes: Uint16Array;
}

/** The most bytes of one access. Readers of text refuse larger ones; the size in a binary record has 16 bits. */
export const MOST_BYTES = 65535;

/** A batch with room for all accesses of one window. */
export function accessBatch(windowBytes: number = WINDOW_BYTES): AccessBatch {
  const room = Math.ceil(windowBytes / LEAST_BYTES) + 8;
  return {
    length: 0,
    kind: new Uint8Array(room),
    hi: new Uint32Array(room),
    lo: new Uint32Array(room),
    bytes: new Uint16Array(room),
  };
}
