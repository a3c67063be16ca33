import type { Words } from '../words.js';
import type { Protection } from './protection.js';

/** A pattern of bits: an entry matches when `(entry & mask) === value`. */
export interface Match {
  /** The bits that are compared. */
  readonly mask: Words;
  /** Their value. It has no bit outside `mask`. */
  readonly value: Words;
}

/**
 * What the MMU demands of an entry that it has recognised as a table or a leaf.
 *
 * The walk faults with `fault` when the rule is broken. A rule with `when` applies only to entries that
 * match it. Examples: x86-64's reserved bits (`equal`, value 0, fault `reserved`); riscv64's forbidden "W
 * without R" (`differ`); riscv64's "N set demands PPN[3:0] = 8" (`when` N, `equal`).
 */
export interface Rule {
  /** Entries that the rule applies to. Default: all. */
  readonly when?: Match;
  /** The bits that the rule compares. */
  readonly mask: Words;
  /** The value that they are compared with. */
  readonly value: Words;
  /** `equal`: they must have the value. `differ`: they must not have it. */
  readonly must: 'equal' | 'differ';
  /** The kind of the fault that the MMU raises. */
  readonly fault: 'reserved' | 'address-size';
}

/** Some bits of an entry, under the manual's name. */
export interface NamedBits {
  /** The manual's name: `R/W`, `AttrIndx`, `PBMT`. */
  readonly name: string;
  /** The lowest bit, 0 to 63. */
  readonly low: number;
  /** Number of bits. Default: 1. */
  readonly width?: number;
  /** What the values mean, from 0 up, in a few words each. One text alone is for every value; in it, `#` is the value. */
  readonly says: readonly string[];
  /** The members of a protection that `decode` reads from the bits. Default: none. */
  readonly tells?: readonly (keyof Protection)[];
}

/**
 * The names of the bits of one kind of entry. The address is named by its fields (`PageTableFormat.address`). Bits
 * that no name covers are reserved where a rule says that they must be 0; all others are ignored.
 *
 * It is data for `describeEntry`. The engine does not read it.
 */
export interface EntryNames {
  /** What a piece of the address is called: `PPN`. `#` in it is the range of its bits: `OA[#]` becomes `OA[47:12]`. */
  readonly address: string;
  /** In any order, without overlap. */
  readonly bits: readonly NamedBits[];
}

/** How one kind of entry looks at one level, and what the MMU demands of it. */
export interface Shape {
  /** Tells this kind from the others. It is compared only with entries that are present. */
  readonly match: Match;
  /** Checked in order; the first broken one decides the fault. */
  readonly rules: readonly Rule[];
  /** The manual's names of its bits. Without them, all works but `describeEntry`. The conformance suite demands them. */
  readonly names?: EntryNames;
}

/**
 * A hint that `entries` neighbouring leaves may share one TLB entry (arm64's contiguous bit, riscv64's
 * Svnapot). Address and frame of the first leaf are multiples of `entries` leaves.
 */
export interface Run {
  /** Leaves in a run: a power of two. */
  readonly entries: number;
  /**
   * `consecutive`: each entry carries its own frame (arm64). `napot`: all entries are the same, and the low
   * frame bits hold the size as `entries / 2` (riscv64). A walk takes those bits from the address.
   */
  readonly style: 'consecutive' | 'napot';
  /** The bits that mark a leaf as part of a run. */
  readonly set: Words;
}

/** One level of a walk, root first. */
export interface Level {
  /** Linux's name: `PGD`, `P4D`, `PUD`, `PMD`, `PTE`. */
  readonly name: string;
  /** log2 of the bytes that one entry of this level covers. */
  readonly shift: number;
  /**
   * log2 of the number of entries. `pageShift - 3` fills a page. Only the root may have fewer (arm64 with a
   * small address range) or more (then its table is several adjacent frames).
   */
  readonly bits: number;
  /** How an entry that points to a table looks; `null` at the last level. It is tried before `leaf`. */
  readonly table: Shape | null;
  /** How an entry that maps looks; `null` where the architecture allows no leaf. */
  readonly leaf: Shape | null;
  /** The run that leaves of this level may form; `null` for none. */
  readonly run: Run | null;
}

/**
 * Where a piece of the physical address is in an entry: bits `entryBit .. entryBit + width - 1` of the entry
 * are bits `paBit .. paBit + width - 1` of the address.
 *
 * Several fields describe split addresses: arm64 LPA has 51:48 in bits 15:12, LPA2 has 51:50 in bits 9:8;
 * riscv64 has its frame number at bit 10.
 */
export interface AddressField {
  /** Lowest bit in the entry. */
  readonly entryBit: number;
  /** Lowest bit of the physical address; at least `pageShift`. */
  readonly paBit: number;
  /** Number of bits. */
  readonly width: number;
}

/**
 * What the MMU makes of an entry.
 *
 * - `none`: all bits are 0. The only kind that `map` writes over.
 * - `absent`: not 0, but the MMU ignores it (swap entry, PROT_NONE).
 * - `table`: points to a table of the next level.
 * - `leaf`: maps.
 * - `reserved`: present, but neither table nor leaf, or it breaks a rule: the walk faults.
 */
export type EntryKind = 'none' | 'absent' | 'table' | 'leaf' | 'reserved';
