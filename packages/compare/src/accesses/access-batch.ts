/** An access that executes, as a number in a batch: an index of `ACCESS_KINDS`. */
export const FETCH = 0;
/** One that reads. */
export const LOAD = 1;
/** One that writes. */
export const STORE = 2;

/** The words of `@vmarea/mmu` for the kinds of a batch. */
export const ACCESS_KINDS = ['execute', 'read', 'write'] as const;

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

/** The most bytes of one access. */
export const MOST_ACCESS_BYTES = 65535;

/** An empty batch. @param room - the most accesses that it takes. */
export function accessBatch(room: number): AccessBatch {
  return {
    length: 0,
    kind: new Uint8Array(room),
    hi: new Uint32Array(room),
    lo: new Uint32Array(room),
    bytes: new Uint16Array(room),
  };
}
