import {
  FrameAllocator,
  isTranslated,
  leafSizes,
  PageTable,
  type PageTableFormat,
  PhysicalMemory,
  protection,
  VmError,
} from '@vmarea/core';
import { rootFrames } from '../parts/root-frames.js';
import { type LeafCount, leafCounts } from './leaf-count.js';
import type { Pagemap, PagemapRange } from './pagemap.js';

/** A table with the pages of a pagemap. */
export interface PagemapTable {
  readonly table: PageTable;
  readonly tables: number;
  readonly leaves: readonly LeafCount[];
}

/** One protection for all pages: a pagemap does not tell what they allow. */
const USER = protection({ write: true, execute: true, user: true });

/**
 * Why a format cannot have the pages of a pagemap; `null` when it can.
 */
export function whyNotMapped(format: PageTableFormat, pagemap: Pagemap): string | null {
  const { pageShift, paBits, name } = format;
  const page = 1n << BigInt(pageShift);
  for (const { va, pa, bytes, line } of pagemap.ranges) {
    const where = `${name} is left out: ${pagemap.file}:${line}`;
    if (va % page !== 0n || pa % page !== 0n || bytes % page !== 0n)
      return `${where} has pages of ${pagemap.pageBytes} bytes that are no whole pages of ${page}`;
    if (!isTranslated(format, va) || !isTranslated(format, va + bytes - 1n))
      return `${where} has addresses that the format does not translate`;
    if ((pa + bytes - 1n) >> BigInt(paBits) !== 0n)
      return `${where} has physical addresses of more than ${paBits} bits`;
  }
  return null;
}

/**
 * Maps the pages of a pagemap to their frames. Where addresses and frames allow it, leaves are as large as the choice says.
 *
 * @param leafShift - log2 bytes of the largest leaf.
 */
export function pagemapTable(format: PageTableFormat, pagemap: Pagemap, leafShift: number): PagemapTable {
  const { pageShift } = format;
  const memory = PhysicalMemory.create({ bytes: tablesFor(format, pagemap.ranges) * 2 ** pageShift });
  const frames = new FrameAllocator(memory, { pageShift });
  const before = frames.stats().allocated;
  const table = new PageTable({ format, memory, frames });
  for (const { va, pa, bytes } of pagemap.ranges)
    table.mapRange(va, pa, bytes, USER, { maxLeafShift: leafShift });
  const leaves = leafCounts(
    format,
    leafSizes(format, [...table.leaves()]).map(({ bytes, count }) => [Math.log2(bytes), count] as const),
  );
  return { table, tables: frames.stats().allocated - before, leaves };
}

/** Frames of the tables for base pages. */
function tablesFor(format: PageTableFormat, ranges: readonly PagemapRange[]): number {
  let tables = rootFrames(format);
  for (const { shift } of format.levels.slice(0, -1)) {
    let previous = -1n;
    for (const { va, bytes } of ranges) {
      const from = va >> BigInt(shift);
      const to = (va + bytes - 1n) >> BigInt(shift);
      tables += Number(to - from) + (from === previous ? 0 : 1);
      previous = to;
    }
  }
  if (tables > 2 ** 20) throw new VmError('ENOMEM', `the pagemap needs ${tables} page tables`);
  return tables;
}
