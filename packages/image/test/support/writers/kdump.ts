import { deflateSync } from 'node:zlib';
import { Bytes, type TestPage } from './bytes.js';

/** How a kdump is written. */
export interface KdumpOptions {
  /** Header version, 1 to 6. Default: 6. */
  readonly version?: number;
  readonly dumpLevel?: number;
  /** Pages that exist and are left out: frame numbers. */
  readonly excluded?: readonly number[];
  /** A part of a split dump: frame numbers. */
  readonly part?: { readonly first: number; readonly end: number };
  readonly vmcoreinfo?: Uint8Array;
  /** utsname's machine. */
  readonly uts?: string;
}

const BLOCK = 4096;

/** A kdump of pages of 4 KiB, in zlib. */
export function kdumpOf(pages: readonly TestPage[], o: KdumpOptions = {}): Uint8Array {
  const { version = 6, dumpLevel = 1, excluded = [], part, vmcoreinfo, uts = '' } = o;
  const sorted = [...pages].sort((a, b) => a.address - b.address);
  const numbers = sorted.map(({ address }) => address / BLOCK);
  const pagesInAll = Math.max(...numbers, ...excluded) + 1;
  const bitmapBlocks = Math.ceil(pagesInAll / 8 / BLOCK);
  const bitmap = (set: readonly number[]): Uint8Array => {
    const bits = new Uint8Array(bitmapBlocks * BLOCK);
    for (const pfn of set) bits[pfn >> 3] = (bits[pfn >> 3] as number) | (1 << (pfn & 7));
    return bits;
  };
  const own = sorted.filter((_, i) => {
    const pfn = numbers[i] as number;
    return part === undefined || (pfn >= part.first && pfn < part.end);
  });
  const subBlocks = 2;
  const info = vmcoreinfo ?? new Uint8Array();
  const header = new Bytes()
    .text('KDUMP   ')
    .u32(version)
    .zeros(65 * 4)
    .text(uts, 65)
    .zeros(65 + 6)
    .u64(0, 0)
    .u32(0, BLOCK, subBlocks, 2 * bitmapBlocks, version >= 6 ? 0 : pagesInAll, 0, 0, 0, 0, 1);
  header.zeros(BLOCK - header.length);
  const sub = new Bytes()
    .u64(0)
    .u32(dumpLevel, part === undefined ? 0 : 1)
    .u64(part?.first ?? 0, part?.end ?? 0)
    .u64(version >= 3 && info.length > 0 ? BLOCK + 128 : 0, version >= 3 ? info.length : 0)
    .u64(0, 0, 0, 0)
    .u64(part?.first ?? 0, part?.end ?? 0, version >= 6 ? pagesInAll : 0)
    .zeros(24)
    .add(info);
  sub.zeros(subBlocks * BLOCK - sub.length);
  const file = new Bytes().add(header.done()).add(sub.done());
  file.add(bitmap([...numbers, ...excluded])).add(bitmap(numbers));
  let at = file.length + 24 * own.length;
  const data = new Bytes();
  for (const { bytes } of own) {
    const packed = new Uint8Array(deflateSync(bytes));
    const isPacked = packed.length < BLOCK;
    const stored = isPacked ? packed : bytes;
    file
      .u64(at)
      .u32(stored.length, isPacked ? 1 : 0)
      .u64(0);
    data.add(stored);
    at += stored.length;
  }
  return file.add(data.done()).done();
}
