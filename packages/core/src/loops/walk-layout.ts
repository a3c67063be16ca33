// The layout of a walk plan: a root and its format as 32-bit words, for `WalkLoops.walkMany`. TypeScript and
// AssemblyScript read this file, so it has only constants.
//
// The walk that they describe, for an address of the words `hi` and `lo`:
//
// - `((hi >> ABOVE_SHIFT) + ABOVE_BIAS) >>> 0` above `ABOVE_SPAN`: no translation.
// - A level's slot: `(va >> SHIFT) & SLOT_MASK`, of the 64-bit address.
// - Tables are tried first. An entry under (TABLE_MASK_LO, TABLE_MASK_HI) that has (TABLE_VALUE_LO,
//   TABLE_VALUE_HI) points to the table that starts at word
//   `rotateRight((lo & INSIDE_LO) | (hi & INSIDE_HI), ROTATE) - OFFSET`. When that is above LAST_TABLE, as
//   an unsigned number, no table of the bank starts there: the plan cannot tell.
// - Else, an entry under the level's leaf mask and value is a leaf. Its frame is
//   `low = rotateRight((lo & LOW_LO) | (hi & LOW_HI), LOW_ROTATE)` and
//   `high = rotateRight(lo & HIGH_LO, HIGH_LO_ROTATE) | rotateRight(hi & HIGH_HI, HIGH_HI_ROTATE)`. The bits
//   under INSIDE_LOW and INSIDE_HIGH come from the address's own page number `va >> PAGE_SHIFT`. So do those
//   under NAPOT_INSIDE when the entry has a bit of NAPOT_LO or NAPOT_HI.
// - Else, with MAY_BE_OTHER 1 the plan cannot tell; with 0 there is no translation.

/** Number of levels, 1 to 5. */
export const DEPTH = 0;
/** Word index of the root's first entry in the bank. */
export const ROOT = 1;
/**
 * The highest word index in the bank at which a table may start. A table that ends beyond the bank is not
 * one of its tables.
 */
export const LAST_TABLE = 2;
/** log2 of the base page in bytes. */
export const PAGE_SHIFT = 3;
/** The bits of an address above the range. */
export const ABOVE_SHIFT = 4;
export const ABOVE_BIAS = 5;
export const ABOVE_SPAN = 6;
/** Entry bits of a table's frame inside the window of the bank, and their conversion to a word index. */
export const INSIDE_LO = 7;
export const INSIDE_HI = 8;
export const ROTATE = 9;
export const OFFSET = 10;
/** The address codec. */
export const LOW_ROTATE = 11;
export const LOW_LO = 12;
export const LOW_HI = 13;
export const HIGH_LO_ROTATE = 14;
export const HIGH_LO = 15;
export const HIGH_HI_ROTATE = 16;
export const HIGH_HI = 17;
/** The first level, root first. Each has STRIDE words. */
export const LEVELS = 18;
export const STRIDE = 16;
/** Offsets in a level. */
export const SHIFT = 0;
export const SLOT_MASK = 1;
export const TABLE_MASK_LO = 2;
export const TABLE_MASK_HI = 3;
export const TABLE_VALUE_LO = 4;
export const TABLE_VALUE_HI = 5;
export const LEAF_MASK_LO = 6;
export const LEAF_MASK_HI = 7;
export const LEAF_VALUE_LO = 8;
export const LEAF_VALUE_HI = 9;
export const INSIDE_LOW = 10;
export const INSIDE_HIGH = 11;
export const NAPOT_LO = 12;
export const NAPOT_HI = 13;
export const NAPOT_INSIDE = 14;
export const MAY_BE_OTHER = 15;

// What `preparePlan` makes of the words before. Fields of two words start at even indices, since they are
// read as one.

/** The last level but one: shift and mask of its slots, in bytes of a table. */
export const UPPER_SHIFT = 98;
export const UPPER_SLOTS = 99;
/** The last level: the same, and how a plain leaf looks there and where its frame is. */
export const LAST_SHIFT = 100;
export const LAST_SLOTS = 101;
export const PLAIN_MASK = 102;
export const PLAIN_VALUE = 104;
export const FRAME_MASK = 106;
export const FRAME_SHIFT = 108;
/** The bits of an address above those that the last two levels translate. */
export const KEY_SHIFT = 109;
export const KEY_MASK = 110;
/** How a table entry looks when levels are simple; else a match that no entry meets. */
export const SINGLE_MASK = 112;
export const SINGLE_VALUE = 114;
/**
 * The bits of an entry that give the place of its table, their shift, and what is added for a byte address.
 */
export const SINGLE_INSIDE = 116;
export const SINGLE_LEFT = 118;
export const SINGLE_BASE = 119;
/** Masks of slots in bytes: for a table, and for the root. */
export const SINGLE_SLOTS = 120;
export const SINGLE_ROOT_SLOTS = 121;
/** Byte address of the root. */
export const SINGLE_ROOT = 122;
/** Bytes of the bank minus those of a table. */
export const SINGLE_REACH = 123;
/** Shift of the slots of each level, in bytes of a table, the last level first. */
export const SINGLE_SHIFTS = 124;
/** The last level but one: how a table entry looks there. */
export const UPPER_MASK = 130;
export const UPPER_VALUE = 132;
/** Words in a plan of five levels. */
export const PLAN_WORDS = 134;
