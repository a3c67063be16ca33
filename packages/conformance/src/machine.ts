import {
  type FlushSink,
  FrameAllocator,
  PageTable,
  type PageTableFormat,
  type PhysicalMemory,
  type Protection,
  protection,
} from '@vmarea/core';
import type { Checked } from './case.js';
import { firstAddress, rangeBytes, rootFrames } from './tools/addresses.js';
import { lastRead, type Read, readsOf } from './tools/entries.js';
import { takenFrames } from './tools/frames.js';
import { takeMemory } from './tools/memories.js';

/** One flush as the sink saw it. */
export interface Flush {
  readonly va: bigint;
  readonly bytes: bigint;
  readonly leafShift: number;
  readonly tablesFreed: readonly number[];
}

/** A page table of a format in memory of its own, with a record of its flushes. */
export class Machine {
  readonly format: PageTableFormat;
  readonly memory: PhysicalMemory;
  readonly frames: FrameAllocator;
  readonly table: PageTable;
  readonly flushes: Flush[] = [];
  /** Called in every flush. */
  onFlush: (flush: Flush) => void = () => {};

  /**
   * @param tables - frames for tables beside the root.
   * @param tableEntry - as the page table's option. Default: the format's.
   */
  constructor(format: PageTableFormat, tables = 40, tableEntry?: bigint) {
    const root = rootFrames(format);
    const sink: FlushSink = {
      flush: (va, bytes, leafShift, tablesFreed) => {
        const flush = { va, bytes, leafShift, tablesFreed: [...tablesFreed] };
        this.flushes.push(flush);
        this.onFlush(flush);
      },
    };
    this.format = format;
    this.memory = takeMemory((tables + 2 * root) * 2 ** format.pageShift);
    this.frames = new FrameAllocator(this.memory, { pageShift: format.pageShift });
    this.table = new PageTable({
      ...{ format, memory: this.memory, frames: this.frames, sink },
      ...(tableEntry === undefined ? {} : { tableEntry }),
    });
  }

  /** Bytes of a base page. */
  get page(): bigint {
    return 1n << BigInt(this.format.pageShift);
  }

  /** The entries that a walk of an address reads from the bytes. */
  reads(va: bigint): Read[] {
    return readsOf(this.format, this.memory, this.table.root, va);
  }

  /** The last of them. */
  last(va: bigint): Read {
    return lastRead(this.format, this.memory, this.table.root, va);
  }

  /** Everything that a refused call must leave as it was: the allocator, and the bytes of all frames that are given out. */
  state(): string {
    const parts = [textOf(new Uint8Array(this.frames.state))];
    for (const pfn of takenFrames(this.frames)) {
      const bytes = this.memory.bytesAt(
        BigInt(pfn) << BigInt(this.format.pageShift),
        2 ** this.format.pageShift,
      );
      parts.push(textOf(bytes));
    }
    return parts.join('\n');
  }
}

/** Bytes as text that is equal where they are: a hundred times as fast as numbers with commas. */
function textOf({ buffer, byteOffset, byteLength }: Uint8Array): string {
  const units = new Uint16Array(buffer, byteOffset, byteLength >> 1);
  let text = '';
  for (let at = 0; at < units.length; at += 8192) {
    text += String.fromCharCode.apply(null, units.subarray(at, at + 8192) as unknown as number[]);
  }
  return text;
}

/** The protection that most cases map with: what vmalloc uses. */
export function dataOf({ protections }: Checked): Protection {
  return protections.PAGE_KERNEL ?? protection({ write: true, global: true });
}

/** A size that a leaf, or a run of leaves, can have. */
export interface Size {
  /** Level of the entries. */
  readonly level: number;
  /** log2 bytes of one entry. */
  readonly leafShift: number;
  /** Entries: 1 for a leaf by itself. */
  readonly entries: number;
  /** log2 bytes of all. */
  readonly shift: number;
  /** For ids: `PMD`, `PTE*16`. */
  readonly name: string;
}

/** All sizes of leaves and runs that fit addresses and frames, smallest first. */
export function sizesOf(format: PageTableFormat): Size[] {
  const sizes: Size[] = [];
  for (const [level, { name, shift, leaf, run }] of format.levels.entries()) {
    if (leaf === null) continue;
    for (const entries of run === null ? [1] : [1, run.entries]) {
      const total = shift + Math.log2(entries);
      // Twice its size must fit: cases look at what stands beside it.
      if (1n << BigInt(total + 1) > rangeBytes(format) || total + 1 > format.paBits) continue;
      sizes.push({
        level,
        leafShift: shift,
        entries,
        shift: total,
        name: entries === 1 ? name : `${name}*${entries}`,
      });
    }
  }
  return sizes.sort((a, b) => a.shift - b.shift);
}

/** An address and a physical address at which a size is aligned, neither of them 0 where that is possible. */
export function placeOf(
  format: PageTableFormat,
  { shift }: Size,
): { readonly va: bigint; readonly pa: bigint } {
  const bytes = 1n << BigInt(shift);
  return { va: firstAddress(format) + bytes, pa: bytes };
}
