/** What one 64-bit descriptor says at its level. `bits` is everything but address, type and mark. */
export type Descriptor =
  | { readonly kind: 'none' }
  | { readonly kind: 'absent' | 'reserved'; readonly entry: bigint }
  | { readonly kind: 'table'; readonly pa: bigint }
  | {
      readonly kind: 'leaf';
      readonly entry: bigint;
      /** Physical address of the leaf's first byte. */
      readonly pa: bigint;
      /** True when it carries the contiguous or NAPOT mark. */
      readonly isMarked: boolean;
      readonly bits: bigint;
    };

/** What the bits of a leaf allow, and its software bits. */
export interface Attributes {
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
  readonly user: boolean;
  readonly global: boolean;
  readonly accessed: boolean;
  readonly dirty: boolean;
  /** Number of the memory type: AttrIndx, PBMT, or the PAT index. */
  readonly memory: number;
  /** What is left. */
  readonly software: bigint;
}

/** How an architecture's manual reads a descriptor. */
export interface Manual {
  /**
   * @param level - index from the root.
   * @param slot - of the descriptor in its table: a NAPOT leaf's low frame bits come from there.
   */
  read(entry: bigint, level: number, slot: number): Descriptor;
  /** A leaf's 64 bits at its level without its address, the mark kept; low frame bits that belong to a mark are address. */
  withoutAddress(entry: bigint, level: number): bigint;
  attributes(bits: bigint): Attributes;
}

/** The 64-bit value with these bits set, both ends included. */
export function ones(high: number, low: number): bigint {
  return (1n << BigInt(high + 1)) - (1n << BigInt(low));
}
