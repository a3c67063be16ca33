/**
 * An entry's address fields as masks and rotations, for loops.
 *
 * A pfn is handled as two words: `low` (bits 31..0) and `high` (the rest, at most 20 bits).
 *
 * ```text
 * low  = rotateRight((lo & lowLo) | (hi & lowHi), lowRotate)
 * high = rotateRight(lo & highLo, highLoRotate) | rotateRight(hi & highHi, highHiRotate)
 * ```
 *
 * One rotation serves both halves of the main field, since their bits are in disjoint places of `lo` and
 * `hi`. Writing a scattered frame then costs one rotate and two masks.
 */
export interface AddressCodec {
  /** Left rotation from `low` to both entry words. */
  readonly lowRotate: number;
  /** Bits of the entry's `lo` that come from `low`. */
  readonly lowLo: number;
  /** Bits of the entry's `hi` that come from `low`. */
  readonly lowHi: number;
  /** Left rotation from `high` to `lo`. */
  readonly highLoRotate: number;
  /** Bits of the entry's `lo` that come from `high`. */
  readonly highLo: number;
  /** Left rotation from `high` to `hi`. */
  readonly highHiRotate: number;
  /** Bits of the entry's `hi` that come from `high`. */
  readonly highHi: number;
}

/** Rotates a 32-bit word to the left by 0–31. */
function rotateLeft(word: number, by: number): number {
  // A shift count is taken modulo 32, so `by` 0 gives `word | word`.
  return (word << by) | (word >>> (32 - by));
}

/** Rotates a 32-bit word to the right by 0–31. */
export function rotateRight(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

/** Bits 31..0 of the pfn in an entry, as a signed word. */
export function pfnLow(codec: AddressCodec, lo: number, hi: number): number {
  return rotateRight((lo & codec.lowLo) | (hi & codec.lowHi), codec.lowRotate);
}

/** Bits 51..32 of the pfn in an entry. */
export function pfnHigh(codec: AddressCodec, lo: number, hi: number): number {
  return (
    rotateRight(lo & codec.highLo, codec.highLoRotate) | rotateRight(hi & codec.highHi, codec.highHiRotate)
  );
}

/** The pfn in an entry, as a number. */
export function pfnOf(codec: AddressCodec, lo: number, hi: number): number {
  return pfnHigh(codec, lo, hi) * 4294967296 + (pfnLow(codec, lo, hi) >>> 0);
}

/** Bits 31..0 of the address of a pfn, as an entry has them. */
export function entryLo(codec: AddressCodec, pfn: number): number {
  return addressLo(codec, pfn | 0, Math.floor(pfn / 4294967296));
}

/** Bits 63..32 of the address of a pfn, as an entry has them. */
export function entryHi(codec: AddressCodec, pfn: number): number {
  return addressHi(codec, pfn | 0, Math.floor(pfn / 4294967296));
}

/** The entry's `lo` bits of a pfn. */
export function addressLo(codec: AddressCodec, low: number, high: number): number {
  return (
    (rotateLeft(low, codec.lowRotate) & codec.lowLo) | (rotateLeft(high, codec.highLoRotate) & codec.highLo)
  );
}

/** The entry's `hi` bits of a pfn. */
export function addressHi(codec: AddressCodec, low: number, high: number): number {
  return (
    (rotateLeft(low, codec.lowRotate) & codec.lowHi) | (rotateLeft(high, codec.highHiRotate) & codec.highHi)
  );
}
