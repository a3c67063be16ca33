import {
  type Controls,
  completeControls,
  flagOption,
  integerOption,
  joinWords,
  optionsOf,
  type PageTableFormat,
  PageTableReader,
  type PhysicalMemory,
  type ReadableTable,
} from '@vmarea/core';
import { ShadowTree } from './shadow-tree.js';
import type { TableNode } from './table-node.js';
import type { TreeChanges } from './tree-changes.js';

/** What a sanitizer watches: one root, and how processors use it. */
export interface RootToWatch<C extends Controls = Controls> {
  /** The tables: a `PageTable`, a `PageTableReader`, or `table` of an `AddressSpace`. */
  readonly table: ReadableTable<C>;
  /** The id under which processors cache its translations: that of the page table's option. Default: 0. */
  readonly asid?: number;
  /** Processor modes for the rights of a use, where they differ from the format's. An `Mmu` tells its own. Default: the format's. */
  readonly controls?: Partial<C>;
  /**
   * True when processors may cache that an entry is not present, so that a new mapping needs a flush, too. False
   * for x86-64 (SDM vol. 3A, 4.10.2.3) and arm64 (Arm ARM, D8.16: a translation that faults is not cached). True
   * for riscv64 without Svvptc (privileged specification, SFENCE.VMA). Default: false.
   */
  readonly cachesNotPresent?: boolean;
}

const NAMES = ['table', 'asid', 'controls', 'cachesNotPresent'] as const;

/** A root that is watched. */
export class WatchedRoot {
  readonly format: PageTableFormat;
  readonly asid: number;
  readonly pa: bigint;
  readonly cachesNotPresent: boolean;
  readonly tree: ShadowTree;
  /** A reader of its own: that of the caller may be destroyed first. */
  readonly reader: PageTableReader;
  /** Groups of entries that are marked as runs, and of which some are missing. */
  readonly incomplete: Map<string, { readonly node: TableNode; readonly index: number }> = new Map();
  /** Readers under the modes that a processor has named. */
  readonly #readers = new WeakMap<Controls, PageTableReader>();
  readonly #memory: PhysicalMemory;
  readonly #given: RootToWatch;
  /** What is added to a page of the upper half, or of all, to make an address of it. */
  readonly #above: number;
  /** First page to which it is added. */
  readonly #from: number;

  constructor(memory: PhysicalMemory, given: RootToWatch, changes: (root: WatchedRoot) => TreeChanges) {
    const o = optionsOf<RootToWatch>(given, NAMES, 'the root to watch', 'member') as RootToWatch;
    const { format, root } = o.table;
    this.format = format;
    this.pa = root;
    this.asid = integerOption(o, 'asid', 0, 2 ** 32 - 1, 0);
    this.cachesNotPresent = flagOption(o, 'cachesNotPresent', false);
    const controls = completeControls(format.controls, o.controls ?? {}, format.name);
    this.reader = new PageTableReader({ format, memory, root, controls });
    const { bits, upper } = format.range;
    const pages = 2 ** (bits - format.pageShift);
    this.#above = upper === 'zeros' ? 0 : 2 ** (64 - format.pageShift) - pages;
    this.#from = upper === 'sign' ? pages / 2 : 0;
    this.#memory = memory;
    this.#given = o;
    this.tree = new ShadowTree(memory, format, root, changes(this));
  }

  /** The same root with a new copy of its tables. */
  again(changes: (root: WatchedRoot) => TreeChanges): WatchedRoot {
    return watched(this.#memory, this.#given, changes);
  }

  /** The reader under a processor's modes. @param controls - complete; without them those of the root. */
  readerUnder(controls: Controls | undefined): PageTableReader {
    if (controls === undefined) return this.reader;
    const known = this.#readers.get(controls);
    if (known !== undefined) return known;
    const { format, pa: root } = this;
    const made = new PageTableReader({ format, memory: this.#memory, root, controls });
    this.#readers.set(controls, made);
    return made;
  }

  /** The frame of the root table. */
  get pfn(): number {
    return this.tree.root.pfn;
  }

  /** The page of an address (address >> pageShift) from one counted from the start of the range. */
  absolute(page: number): number {
    return page < this.#from ? page : page + this.#above;
  }

  /** The other way round. */
  relative(page: number): number {
    return page < this.#above ? page : page - this.#above;
  }

  /** True when the root translates an address. */
  holds(va: bigint): boolean {
    const { bits, upper } = this.format.range;
    if (upper === 'sign') return BigInt.asUintN(64, BigInt.asIntN(bits, va)) === va;
    return va >> BigInt(bits) === (upper === 'zeros' ? 0n : (1n << BigInt(64 - bits)) - 1n);
  }

  /** Physical address of an entry. A small root may start inside its frame. */
  entryAddress(table: number, level: number, index: number): bigint {
    const start = level === 0 ? this.pa : BigInt(table) << BigInt(this.format.pageShift);
    return start + BigInt(8 * index);
  }

  /** An entry as it was at the last look. */
  entry({ copy }: TableNode, index: number): bigint {
    return joinWords(copy[2 * index] as number, copy[2 * index + 1] as number);
  }

  /** The first byte of a page. */
  address(page: number): bigint {
    return BigInt(page) << BigInt(this.format.pageShift);
  }
}

/** Outside of the class: a bundler gives a class that names itself another name. */
function watched(
  memory: PhysicalMemory,
  given: RootToWatch,
  changes: (root: WatchedRoot) => TreeChanges,
): WatchedRoot {
  return new WatchedRoot(memory, given, changes);
}
