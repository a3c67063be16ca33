import { VmError } from '../errors.js';
import type { AddressField } from './entry.js';

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
 * One rotation serves both halves of the main field, whose bits stand in disjoint places of `lo` and
 * `hi`: writing a scattered frame then costs one rotate and two masks.
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

/**
 * Compiles address fields.
 *
 * @param fields - of a format; bits must not overlap.
 * @param pageShift - log2 of the base page in bytes.
 * @throws VmError `EINVAL` when fields overlap, lie outside 64 bits, or when the low 32 pfn bits are not one
 *   contiguous field (no known architecture needs that).
 */
export function compileAddress(fields: readonly AddressField[], pageShift: number): AddressCodec {
  // [entry word * 2 + pfn word]
  const rotate = [-1, -1, -1, -1];
  const masks = [0, 0, 0, 0];
  const seen = new Set<string>();
  for (const field of fields) {
    for (let i = 0; i < field.width; i++) {
      const from = field.entryBit + i;
      const to = field.paBit - pageShift + i;
      if (from < 0 || from > 63 || to < 0 || to > 51) {
        throw bad(field, 'a bit is outside the entry or outside pfn bits 0 to 51');
      }
      if (seen.has(`e${from}`) || seen.has(`p${to}`)) throw bad(field, 'two fields share a bit');
      seen.add(`e${from}`).add(`p${to}`);
      const pair = (from >> 5) * 2 + (to >> 5);
      const by = (from - to) & 31;
      if (rotate[pair] !== -1 && rotate[pair] !== by) throw bad(field, 'the field is in too many pieces');
      rotate[pair] = by;
      masks[pair] |= 1 << (from & 31);
    }
  }
  const [lowLoRotate, highLoRotate, lowHiRotate, highHiRotate] = rotate as [number, number, number, number];
  if (lowLoRotate !== -1 && lowHiRotate !== -1 && lowLoRotate !== lowHiRotate) {
    throw new VmError('EINVAL', 'bits 31..0 of the pfn stand in two separate fields of the entry');
  }
  const [lowLo, highLo, lowHi, highHi] = masks as [number, number, number, number];
  return Object.freeze({
    lowRotate: Math.max(lowLoRotate, lowHiRotate, 0) | 0,
    lowLo,
    lowHi,
    highLoRotate: Math.max(highLoRotate, 0) | 0,
    highLo,
    highHiRotate: Math.max(highHiRotate, 0) | 0,
    highHi,
  });
}

function bad(field: AddressField, why: string): VmError {
  return new VmError(
    'EINVAL',
    `address field { entryBit: ${field.entryBit}, paBit: ${field.paBit}, width: ${field.width} }: ${why}`,
  );
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
