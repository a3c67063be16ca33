import { UsageError } from '@vmarea/cli';
import type { Pagemap, PagemapRange } from '@vmarea/compare';
import { printable } from '@vmarea/core';

const DEFAULT_PAGE = 4096;
/** Fields of a word of /proc/PID/pagemap: the frame, and the two bits that say present and swapped. */
const FRAME_BITS = 55;
const PRESENT = 1n << 63n;
const SWAPPED = 1n << 62n;
const TOP = 1n << 64n;

/**
 * Reads a pagemap. Two formats are known, and told by their content.
 *
 * - Lines `ADDRESS COUNT FRAME`, hexadecimal: so many pages from that address have frames from that one on. FRAME is a frame, or the whole
 *   word of /proc/PID/pagemap. Swapped pages are left out. `#` starts a comment.
 * - v2p.textproto, as in Google's public traces: blocks `address_mapping { virtual_address: … physical_address: … }` of one page. A missing
 *   address is 0.
 *
 * In both, a line `page_size: BYTES` says the page size. Default: 4096.
 *
 * @throws UsageError with file, line, and what was expected.
 */
export function readPagemap(text: string, file: string): Pagemap {
  const lines = text.split(/\r?\n/);
  const isProto = lines.some((line) => /^\s*address_mapping\s*\{/.test(line));
  const reading: Reading = { file, pageBytes: DEFAULT_PAGE, ranges: [] };
  for (const [i, line] of lines.entries()) {
    const size = /^\s*page_size:\s*(\S+)\s*$/.exec(line)?.[1];
    if (size !== undefined) reading.pageBytes = pageSize(size, `${file}:${i + 1}`);
  }
  if (isProto) readProto(lines, reading);
  else readLines(lines, reading);
  if (reading.ranges.length === 0) throw new UsageError(`${file} has no page; expected lines ${LINE}`);
  return { file, pageBytes: reading.pageBytes, ranges: joined(reading) };
}

const LINE = 'ADDRESS COUNT FRAME, hexadecimal, or the blocks of a v2p.textproto';

interface Reading {
  readonly file: string;
  pageBytes: number;
  readonly ranges: PagemapRange[];
}

function pageSize(text: string, where: string): number {
  const bytes = Number(text);
  if (!(bytes >= 4096 && bytes <= 65536 && Number.isInteger(Math.log2(bytes))))
    throw new UsageError(
      `${where}: expected a page size, a power of two from 4096 to 65536, not '${printable(text)}'`,
    );
  return bytes;
}

function readLines(lines: readonly string[], reading: Reading): void {
  for (const [i, raw] of lines.entries()) {
    const line = raw.replace(/#.*/, '').trim();
    if (line === '' || line.startsWith('page_size:')) continue;
    const [, va, count, frame] =
      /^(?:0x)?([0-9a-f]{1,16})\s+(?:0x)?([0-9a-f]{1,12})\s+(?:0x)?([0-9a-f]{1,16})$/i.exec(line) ?? [];
    if (va === undefined)
      throw new UsageError(`${reading.file}:${i + 1}: expected ${LINE}, not '${printable(line)}'`);
    const word = BigInt(`0x${frame}`);
    const isWord = word >> BigInt(FRAME_BITS) !== 0n;
    if (isWord && ((word & SWAPPED) !== 0n || (word & PRESENT) === 0n)) continue;
    const pfn = BigInt.asUintN(FRAME_BITS, word);
    const bytes = BigInt(`0x${count}`) * BigInt(reading.pageBytes);
    add(reading, { line: i + 1, va: BigInt(`0x${va}`), pa: pfn * BigInt(reading.pageBytes), bytes });
  }
}

function readProto(lines: readonly string[], reading: Reading): void {
  let block: { line: number; virtual: bigint; physical: bigint } | null = null;
  for (const [i, raw] of lines.entries()) {
    const line = raw.replace(/#.*/, '').trim();
    if (line === '') continue;
    if (/^address_mapping\s*\{$/.test(line)) block = { line: i + 1, virtual: 0n, physical: 0n };
    else if (block !== null && line === '}') {
      const bytes = BigInt(reading.pageBytes);
      add(reading, { line: block.line, va: block.virtual, pa: block.physical, bytes });
      block = null;
    } else if (block !== null) {
      const [, which, value = ''] =
        /^(virtual|physical)_address:\s*(0x[0-9a-f]{1,16}|\d{1,20})$/i.exec(line) ?? [];
      if (which === undefined)
        throw new UsageError(
          `${reading.file}:${i + 1}: expected virtual_address: or physical_address: and a number, not '${printable(line)}'`,
        );
      if (which.toLowerCase() === 'virtual') block.virtual = BigInt(value);
      else block.physical = BigInt(value);
    }
  }
  if (block !== null)
    throw new UsageError(`${reading.file}:${block.line}: expected a } behind this block; the file ends`);
}

function add(reading: Reading, range: PagemapRange): void {
  const page = BigInt(reading.pageBytes);
  const where = `${reading.file}:${range.line}`;
  if (range.va % page !== 0n || range.pa % page !== 0n)
    throw new UsageError(
      `${where}: expected addresses that are multiples of the page size ${reading.pageBytes}`,
    );
  if (range.bytes === 0n) throw new UsageError(`${where}: expected a count of at least 1`);
  if (range.va + range.bytes > TOP || range.pa + range.bytes > TOP)
    throw new UsageError(`${where}: expected a range that ends below 2^64`);
  reading.ranges.push(range);
}

/** The ranges in order, adjacent ones as one. */
function joined({ file, ranges }: Reading): PagemapRange[] {
  const sorted = [...ranges].sort((a, b) => (a.va < b.va ? -1 : a.va > b.va ? 1 : 0));
  const all: PagemapRange[] = [];
  for (const range of sorted) {
    const last = all.at(-1);
    if (last !== undefined && last.va + last.bytes > range.va)
      throw new UsageError(
        `${file}:${range.line}: expected pages that no other line has; line ${last.line} has address 0x${range.va.toString(16)}`,
      );
    if (last !== undefined && last.va + last.bytes === range.va && last.pa + last.bytes === range.pa)
      all[all.length - 1] = { ...last, bytes: last.bytes + range.bytes };
    else all.push(range);
  }
  return all;
}
