import {
  type Controls,
  type PageTableFormat,
  type PathWalker,
  pathWalker,
  planOf,
  type ReadableTable,
} from '@vmarea/core';

/**
 * What a walk of one address read. One object serves all walks: each refills it, and nothing is allocated.
 *
 * Make one with `walkRecord()`.
 */
export interface WalkRecord {
  /** log2 bytes that the leaf's level covers; 0 when there is no translation. */
  leafShift: number;
  /** log2 bytes of the run that the leaf is part of, by its contiguous or NAPOT mark; 0 for none. */
  runShift: number;
  /** Frame of the address in base pages, also inside a larger leaf; -1 when there is no translation. */
  pfn: number;
  /**
   * Whether the leaf says that it serves all address spaces (x86-64 G, arm64 nG clear, riscv64 G). A G in riscv64's entries above
   * the leaf is not looked at: to treat a global page as not global is right, if slower (privileged specification, "Sv32").
   */
  isGlobal: boolean;
  /**
   * Entries that the walk read, root first; the last one is the leaf, or the entry that ended the walk. 0 when
   * the address is outside the root's range.
   */
  levels: number;
  /** Physical address of each entry read, in bytes, root first. Valid up to `levels`. */
  readonly entryAddress: Float64Array;
  /** Frame of the table of each entry read, root first. Valid up to `levels`. */
  readonly tablePfn: Float64Array;
}

/** One level of the tables that a source walks. */
export interface WalkLevel {
  /** Linux's name: `PGD`, `P4D`, `PUD`, `PMD`, `PTE`. */
  readonly name: string;
  /** log2 of the bytes that one entry covers. */
  readonly shift: number;
}

/** Page tables, as a model of a processor reads them: `walkSource` makes one over real tables. */
export interface WalkSource {
  /** log2 of the base page in bytes: 12, 14 or 16. */
  readonly pageShift: number;
  /** The levels of a complete walk, root first; one to five. */
  readonly levels: readonly WalkLevel[];
  /**
   * Walks an address that comes as two 32-bit words. No permission is judged, and no bit is set.
   *
   * @param vaHi - bits 63..32, signed or unsigned.
   * @param vaLo - bits 31..0, signed or unsigned.
   * @param record - is refilled.
   * @returns true when there is a translation.
   */
  walk(vaHi: number, vaLo: number, record: WalkRecord): boolean;
  /**
   * Which pages around the last walked one an entry of a TLB can cover together with it: they are mapped by
   * leaves of the same size and flags, to frames that follow each other.
   *
   * @param pages - size of the aligned group that the page is in: a power of two, 2 to 16.
   * @returns a bit for each page of the group, bit 0 for the first. 0 when the leaf was larger than a
   *   base page, or there was none.
   */
  groupMask(pages: number): number;
}

/** A record for `WalkSource.walk`. */
export function walkRecord(): WalkRecord {
  return {
    leafShift: 0,
    runShift: 0,
    pfn: -1,
    isGlobal: false,
    levels: 0,
    entryAddress: new Float64Array(5),
    tablePfn: new Float64Array(5),
  };
}

/**
 * Makes a source of walks over real page tables: those that a `PageTable` or `AddressSpace` makes, or those
 * of an image. It sees each change of the tables.
 *
 * @param table - the table that translates.
 * @throws VmError `EINVAL` when it is not a page table, or was destroyed.
 * @example
 * ```ts
 * const source = walkSource(new PageTableReader({ format, memory, root }));
 * const record = walkRecord();
 * if (source.walk(0xffffc900, 0x1000, record)) console.log(record.levels, record.leafShift);
 * ```
 */
export function walkSource<C extends Controls>(table: ReadableTable<C>): WalkSource {
  return new TableSource(pathWalker(table), table.format as unknown as PageTableFormat);
}

class TableSource implements WalkSource {
  readonly pageShift: number;
  readonly levels: readonly WalkLevel[];
  readonly #walker: PathWalker;
  readonly #format: PageTableFormat;
  readonly #globals: GlobalMemo;

  constructor(walker: PathWalker, format: PageTableFormat) {
    this.#walker = walker;
    this.#format = format;
    this.#globals = new GlobalMemo(format);
    this.pageShift = format.pageShift;
    this.levels = Object.freeze(format.levels.map(({ name, shift }) => Object.freeze({ name, shift })));
  }

  /** Whose tables it walks. */
  toString(): string {
    return `WalkSource over page tables of ${this.#format.name}`;
  }

  walk(vaHi: number, vaLo: number, record: WalkRecord): boolean {
    const walker = this.#walker;
    const found = walker.walk(vaHi, vaLo);
    const { depth, entryAddress, tablePfn } = walker;
    record.leafShift = walker.leafShift;
    record.runShift = walker.runShift;
    record.pfn = walker.pfn;
    record.levels = depth;
    for (let i = 0; i < depth; i++) {
      record.entryAddress[i] = entryAddress[i] as number;
      record.tablePfn[i] = tablePfn[i] as number;
    }
    const last = depth - 1;
    record.isGlobal =
      found && this.#globals.of(last, walker.entryLo[last] as number, walker.entryHi[last] as number);
    return found;
  }

  groupMask(pages: number): number {
    return this.#walker.groupMask(pages);
  }
}

/** Kinds of leaf that are remembered. Page tables of a kernel have about ten. */
const REMEMBERED = 64;

/** Whether leaves are global. The format decides; each kind of leaf (level and flags) is asked for once. */
class GlobalMemo {
  readonly #format: PageTableFormat;
  /** Entry bits that hold an address, at any level. */
  readonly #addressLo: number;
  readonly #addressHi: number;
  readonly #los: number[] = [];
  readonly #his: number[] = [];
  readonly #levels: number[] = [];
  readonly #answers: boolean[] = [];
  #last = 0;

  constructor(format: PageTableFormat) {
    this.#format = format;
    const { address } = planOf(format);
    this.#addressLo = address.lowLo | address.highLo;
    this.#addressHi = address.lowHi | address.highHi;
  }

  of(level: number, lo: number, hi: number): boolean {
    const flagsLo = lo & ~this.#addressLo;
    const flagsHi = hi & ~this.#addressHi;
    const last = this.#last;
    if (this.#los[last] === flagsLo && this.#his[last] === flagsHi && this.#levels[last] === level)
      return this.#answers[last] as boolean;
    for (let i = 0; i < this.#los.length; i++) {
      if (this.#los[i] !== flagsLo || this.#his[i] !== flagsHi || this.#levels[i] !== level) continue;
      this.#last = i;
      return this.#answers[i] as boolean;
    }
    return this.#ask(level, lo, hi, flagsLo, flagsHi);
  }

  #ask(level: number, lo: number, hi: number, flagsLo: number, flagsHi: number): boolean {
    const { global } = this.#format.decode({ lo, hi }, level);
    const at = this.#los.length < REMEMBERED ? this.#los.length : 0;
    this.#los[at] = flagsLo;
    this.#his[at] = flagsHi;
    this.#levels[at] = level;
    this.#answers[at] = global;
    this.#last = at;
    return global;
  }
}
