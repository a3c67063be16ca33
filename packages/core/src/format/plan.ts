import type { AddressCodec } from '../address-codec.js';
import type { EntryTemplate } from '../entry-template.js';
import { matches, type Words } from '../words.js';
import { brokenRule } from './classify.js';
import { compileAddress } from './compile-address.js';
import type { Level, Rule, Shape } from './entry.js';
import type { PageTableFormat } from './page-table-format.js';

/** A match on both words of an entry, with every unconditional `equal` rule merged into it. */
export interface FastMatch {
  readonly maskLo: number;
  readonly maskHi: number;
  readonly valueLo: number;
  readonly valueHi: number;
  /** The rules that could not be merged, as a shape; `null` when the match is enough. */
  readonly rest: Shape | null;
}

/**
 * The slot number in an address of two words, in one form for every shift:
 * `((lo >>> loShift) & loMask) | (((hi << hiLeft) >>> hiRight) & hiMask)`.
 */
interface SlotField {
  readonly loShift: number;
  readonly loMask: number;
  readonly hiLeft: number;
  readonly hiRight: number;
  readonly hiMask: number;
}

/** Slot of an address in a table of a level. */
export function slotOf(level: LevelPlan, vaHi: number, vaLo: number): number {
  const { loShift, loMask, hiLeft, hiRight, hiMask } = level.slot;
  return ((vaLo >>> loShift) & loMask) | (((vaHi << hiLeft) >>> hiRight) & hiMask);
}

/** One level, as numbers for loops. */
export interface LevelPlan {
  /** Index: 0 is the root. */
  readonly index: number;
  /** The level it was made from. */
  readonly level: Level;
  /** log2 of the bytes that an entry covers. */
  readonly shift: number;
  /** log2 of the bytes that a run of its leaves covers. Without runs, that of a leaf. */
  readonly runShift: number;
  /** Number of entries. */
  readonly entries: number;
  /** Base pages that an entry covers. Exact as a number, up to 2^45. */
  readonly pages: number;
  /** Where the slot number is in the two words of an address. */
  readonly slot: SlotField;
  /** Entries that point to a table. At the last level, a match that no entry meets. */
  readonly table: FastMatch;
  /** Entries that map. Where no leaf is allowed, a match that no entry meets. */
  readonly leaf: FastMatch;
  /**
   * Entries that map for certain, whatever their other rules demand, as a match without a rest; `null` where
   * there is none.
   */
  readonly sureLeaf: FastMatch | null;
  /** Entry bits of a leaf's address: those of the fields at or above `shift`. */
  readonly leafAddressLo: number;
  readonly leafAddressHi: number;
  /** Bits of a pfn below this level's leaf size, low and high word. 0 at the last level. */
  readonly insideLow: number;
  readonly insideHigh: number;
  /** Bits that mark a NAPOT leaf (0 and 0 without one), and its pages - 1. */
  readonly napotLo: number;
  readonly napotHi: number;
  readonly napotInside: number;
}

/** A format, checked and compiled to numbers for loops. One per format object, made on first use. */
export interface Plan {
  readonly format: PageTableFormat;
  readonly pageShift: number;
  /** 32-bit words in a table page. */
  readonly pageWords: number;
  /** Frames at or above this number do not fit into `paBits`. */
  readonly pfnLimit: number;
  /** Base pages that the root covers: a power of two up to 2^52. */
  readonly pages: number;
  readonly address: AddressCodec;
  /** Entries that point to tables. */
  readonly link: EntryTemplate;
  readonly levels: readonly LevelPlan[];
  /** Index of the last level. */
  readonly last: number;
  /** log2 of the adjacent frames that the root table needs. */
  readonly rootOrder: number;
}

const plans = new WeakMap<PageTableFormat, Plan>();

/** The plan of a format. It does not check the format: `requireSound` does. */
export function planOf(format: PageTableFormat): Plan {
  let plan = plans.get(format);
  if (plan === undefined) {
    plan = compile(format);
    plans.set(format, plan);
  }
  return plan;
}

function compile(format: PageTableFormat): Plan {
  const { pageShift } = format;
  const address = compileAddress(format.address, pageShift);
  const pfnLimit = 2 ** (format.paBits - pageShift);
  const { lo, hi } = format.tableEntry;
  const root = format.levels[0] as Level;
  return Object.freeze({
    format,
    pageShift,
    pageWords: 2 ** (pageShift - 2),
    pfnLimit,
    pages: 2 ** (format.range.bits - pageShift),
    address,
    link: { lo, hi, address, pfnLimit },
    levels: Object.freeze(format.levels.map((_, index) => compileLevel(format, index))),
    last: format.levels.length - 1,
    rootOrder: Math.max(0, root.bits + 3 - pageShift),
  });
}

/** Leaves of the same bits beside their frames. */
export function leafTemplate({ address, pfnLimit }: Plan, lo: number, hi: number): EntryTemplate {
  return { lo, hi, address, pfnLimit };
}

function compileLevel(format: PageTableFormat, index: number): LevelPlan {
  const level = format.levels[index] as Level;
  const pageBits = level.shift - format.pageShift;
  const leafAddress = leafAddressMask(format, level.shift);
  const napot = level.run?.style === 'napot' ? level.run : null;
  const leaf = fastMatch(level.leaf);
  return Object.freeze({
    index,
    level,
    shift: level.shift,
    runShift: level.shift + Math.log2(level.run?.entries ?? 1),
    entries: 2 ** level.bits,
    pages: 2 ** pageBits,
    slot: slotField(level),
    table: fastMatch(level.table),
    leaf,
    sureLeaf: sureMatch(leaf),
    leafAddressLo: leafAddress.lo,
    leafAddressHi: leafAddress.hi,
    insideLow: lowMask(pageBits),
    insideHigh: lowMask(pageBits - 32),
    napotLo: napot?.set.lo ?? 0,
    napotHi: napot?.set.hi ?? 0,
    napotInside: napot === null ? 0 : napot.entries - 1,
  });
}

function slotField(level: Level): SlotField {
  const { shift, bits } = level;
  const mask = 2 ** bits - 1;
  if (shift >= 32) return { loShift: 0, loMask: 0, hiLeft: 0, hiRight: shift - 32, hiMask: mask };
  const loMask = 2 ** Math.min(32 - shift, bits) - 1;
  return { loShift: shift, loMask, hiLeft: 32 - shift, hiRight: 0, hiMask: mask & ~loMask };
}

/** A 32-bit mask of `count` low bits; any count. */
function lowMask(count: number): number {
  if (count <= 0) return 0;
  return count >= 32 ? -1 : (1 << count) - 1;
}

/** The entry bits that hold physical address bits at or above `shift`. */
export function leafAddressMask(format: PageTableFormat, shift: number): Words {
  let lo = 0;
  let hi = 0;
  for (const field of format.address) {
    for (let i = Math.max(0, shift - field.paBit); i < field.width; i++) {
      const bit = field.entryBit + i;
      if (bit < 32) lo |= 1 << bit;
      else hi |= 1 << (bit - 32);
    }
  }
  return { lo, hi };
}

/** Matches no entry: the value has a bit outside the mask. */
const NEVER: FastMatch = Object.freeze({ maskLo: 0, maskHi: 0, valueLo: 1, valueHi: 0, rest: null });

function fastMatch(shape: Shape | null): FastMatch {
  if (shape === null) return NEVER;
  let { lo: maskLo, hi: maskHi } = shape.match.mask;
  let { lo: valueLo, hi: valueHi } = shape.match.value;
  const rest: Rule[] = [];
  for (const rule of shape.rules) {
    if (rule.must === 'equal' && rule.when === undefined) {
      maskLo |= rule.mask.lo;
      maskHi |= rule.mask.hi;
      valueLo |= rule.value.lo;
      valueHi |= rule.value.hi;
    } else {
      rest.push(rule);
    }
  }
  return Object.freeze({
    maskLo,
    maskHi,
    valueLo,
    valueHi,
    rest: rest.length === 0 ? null : Object.freeze({ match: shape.match, rules: rest }),
  });
}

/**
 * A match that is enough to keep all rules of another: it excludes by one bit what a rule forbids.
 *
 * For riscv64, pages with R, of plain memory and without N keep "not W alone", "PBMT is not 3" and "N wants
 * a pattern". Entries that fail it are checked rule by rule.
 */
function sureMatch(match: FastMatch): FastMatch | null {
  if (match.rest === null) return match;
  let { maskLo, maskHi, valueLo, valueHi } = match;
  for (const rule of match.rest.rules) {
    // A conditional rule holds when its condition is not met.
    const { mask, value } = rule.when ?? rule;
    const differs = (maskLo & mask.lo & (valueLo ^ value.lo)) | (maskHi & mask.hi & (valueHi ^ value.hi));
    if (differs !== 0) continue;
    const freeLo = mask.lo & ~maskLo;
    const freeHi = mask.hi & ~maskHi;
    if ((freeLo | freeHi) === 0) return null;
    const bitLo = freeLo & -freeLo;
    const bitHi = bitLo === 0 ? freeHi & -freeHi : 0;
    maskLo |= bitLo;
    maskHi |= bitHi;
    valueLo |= bitLo & ~value.lo;
    valueHi |= bitHi & ~value.hi;
  }
  return Object.freeze({ maskLo, maskHi, valueLo, valueHi, rest: null });
}

/**
 * True when the unconditional rules of a level's leaves hold for an entry. When `isToldByFlags` is true for
 * its flags, nothing else needs a check.
 */
export function matchesAddress({ leaf }: LevelPlan, lo: number, hi: number): boolean {
  return (((lo & leaf.maskLo) ^ leaf.valueLo) | ((hi & leaf.maskHi) ^ leaf.valueHi)) === 0;
}

/**
 * True when no other rule of a leaf depends on its address. Then every entry with these flags that passes
 * `matchesAddress` is a leaf too. riscv64's rule about a NAPOT leaf's low frame bits does depend on it.
 */
export function isToldByFlags(level: LevelPlan, lo: number, hi: number): boolean {
  const { leafAddressLo, leafAddressHi } = level;
  const rules = level.leaf.rest?.rules ?? [];
  return !rules.some(
    ({ mask, when }) =>
      ((mask.lo & leafAddressLo) | (mask.hi & leafAddressHi)) !== 0 &&
      (when === undefined || matches({ lo, hi }, when)),
  );
}

/** True when an entry meets a match and all its rules. */
export function meets(match: FastMatch, lo: number, hi: number): boolean {
  if ((((lo & match.maskLo) ^ match.valueLo) | ((hi & match.maskHi) ^ match.valueHi)) !== 0) return false;
  return match.rest === null || brokenRule(match.rest, { lo, hi }) === null;
}
