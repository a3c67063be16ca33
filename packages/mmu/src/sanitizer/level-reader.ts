import { classify, type EntryKind, type Level, type PageTableFormat, type Words } from '@vmarea/core';

/** What the flags of a leaf mean to a processor that caches it. */
export interface Meaning {
  /** Equal for leaves whose flags differ only in the accessed and dirty bits. */
  readonly text: string;
  readonly isGlobal: boolean;
  /** It carries the mark of a run. */
  readonly isInRun: boolean;
}

/**
 * Reads the entries of one level of a format. Entries come as two signed 32-bit words.
 *
 * Accessed and dirty bits are no difference here: hardware writes them, and no processor translates to another
 * place because of them.
 */
export class LevelReader {
  readonly level: Level;
  /** Index of the level, 0 for the root. */
  readonly index: number;
  readonly entries: number;
  /** Base pages that an entry covers. */
  readonly pages: number;
  readonly #format: PageTableFormat;
  /** The bits of a leaf that hold its address. */
  readonly #address: Words;
  readonly #meanings = new Map<number, Map<number, Meaning>>();

  constructor(format: PageTableFormat, index: number) {
    this.level = format.levels[index] as Level;
    this.index = index;
    this.entries = 2 ** this.level.bits;
    this.pages = 2 ** (this.level.shift - format.pageShift);
    this.#format = format;
    this.#address = addressBits(format, this.level.shift);
  }

  kind(lo: number, hi: number): EntryKind {
    return (lo | hi) === 0 ? 'none' : classify(this.#format.present, this.level, { lo, hi });
  }

  /** The table that an entry points to. */
  table(lo: number, hi: number): number {
    return this.#pfn(lo, hi);
  }

  /**
   * The first frame of a leaf.
   *
   * @param index - of the entry in its table: in a NAPOT run it decides the low bits.
   */
  frame(lo: number, hi: number, index: number): number {
    const pfn = this.#pfn(lo, hi);
    const { run } = this.level;
    if (run?.style !== 'napot' || !this.meaning(lo, hi).isInRun) return pfn - (pfn % this.pages);
    const whole = run.entries * this.pages;
    return pfn - (pfn % whole) + (index % run.entries) * this.pages;
  }

  /** What the flags of a leaf mean; computed once for each value of the flags. */
  meaning(lo: number, hi: number): Meaning {
    const flagsLo = lo & ~this.#address.lo;
    const flagsHi = hi & ~this.#address.hi;
    const known = this.#meanings.get(flagsHi) ?? new Map<number, Meaning>();
    this.#meanings.set(flagsHi, known);
    const meaning = known.get(flagsLo) ?? this.#decode(flagsLo, flagsHi);
    known.set(flagsLo, meaning);
    return meaning;
  }

  /** True when two entries that point to one table differ in what a processor may cache. */
  differs(before: Words, after: Words): boolean {
    return this.#touched(before) !== this.#touched(after);
  }

  /** True when a change of a valid entry needs break-before-make. */
  needsBreak(before: Words, after: Words): boolean {
    return this.#format.needsBreak(before, after, this.index);
  }

  #decode(lo: number, hi: number): Meaning {
    const { accessed, dirty, extra, ...rest } = this.#format.decode({ lo, hi }, this.index);
    const set = this.level.run?.set;
    const isInRun = set !== undefined && (lo & set.lo) === set.lo && (hi & set.hi) === set.hi;
    return { text: `${Object.values(rest)} ${extra} ${isInRun}`, isGlobal: rest.global, isInRun };
  }

  #touched(entry: Words): string {
    const access = { kind: 'read', user: false } as const;
    const { lo, hi } = this.#format.touch(entry, this.index, 'table', access, this.#format.controls);
    return `${lo} ${hi}`;
  }

  #pfn(lo: number, hi: number): number {
    const { address, pageShift } = this.#format;
    let pfn = 0;
    for (const { entryBit, paBit, width } of address)
      pfn += bitsOf(lo, hi, entryBit, width) * 2 ** (paBit - pageShift);
    return pfn;
  }
}

/** Some bits of two words as a number below 2^52. */
function bitsOf(lo: number, hi: number, from: number, width: number): number {
  const inLow = Math.max(0, Math.min(width, 32 - from));
  const low = inLow === 0 ? 0 : low32(lo >>> from, inLow);
  const skip = Math.max(0, from - 32);
  return low + (inLow === width ? 0 : low32(hi >>> skip, width - inLow) * 2 ** inLow);
}

function low32(word: number, bits: number): number {
  return bits >= 32 ? word >>> 0 : word & (2 ** bits - 1);
}

/** The bits of an entry that hold address bits at or above a shift. */
function addressBits({ address }: PageTableFormat, shift: number): Words {
  let lo = 0;
  let hi = 0;
  for (const { entryBit, paBit, width } of address)
    for (let i = Math.max(0, shift - paBit); i < width; i++) {
      const bit = entryBit + i;
      if (bit < 32) lo |= 1 << bit;
      else hi |= 1 << (bit - 32);
    }
  return { lo, hi };
}
