import { checkAddress, isWord, requireOnPage } from '../check/address.js';
import { checkBytes } from '../check/bytes.js';
import { shown, VmError } from '../errors.js';
import type { PageTableFormat } from '../format/page-table-format.js';
import { holdsAddress, ruleOf } from '../format/virtual-range.js';
import { joinWords, TOP } from '../words.js';

/** A range of virtual addresses in base pages, counted from the start of the root's range. */
export interface PageRange {
  /** Index of the first page: the address bits that the tables translate, without the page offset. */
  readonly first: number;
  /** Number of pages, at least 1. */
  readonly pages: number;
}

/** The smallest range that contains all the given ones, of which there is at least one. */
export function hullOf(ranges: readonly PageRange[]): PageRange {
  let first = Number.POSITIVE_INFINITY;
  let end = 0;
  for (const range of ranges) {
    first = Math.min(first, range.first);
    end = Math.max(end, range.first + range.pages);
  }
  return { first, pages: end - first };
}

/**
 * Checks an address range up to its last byte.
 *
 * @param va - first address in bytes, 0 to 2^64 - 1, as the processor holds it (sign-extended where
 *   canonical).
 * @param bytes - length in bytes.
 * @throws VmError `EINVAL` when the range is empty, negative or not page-aligned; `ERANGE` when it wraps,
 *   leaves the addresses that the format translates, or crosses the hole between the canonical halves.
 */
export function pageRange(format: PageTableFormat, va: bigint, bytes: bigint | number): PageRange {
  return plainRange(format, va, bytes) ?? checkedRange(format, va, bytes);
}

/** A 64-bit value and its words: shifts of a bigint allocate, a store does not. */
const QUAD: BigUint64Array = new BigUint64Array(1);
const HALVES: Uint32Array = new Uint32Array(QUAD.buffer);

/**
 * An ordinary range, by numbers: a dozen bigints took 0.6 of the 2 µs of a short call.
 *
 * @returns `null` for a range that must be refused, or that only bigints can tell.
 */
function plainRange({ pageShift, range }: PageTableFormat, va: unknown, bytes: unknown): PageRange | null {
  const { bits, upper } = range;
  if (bits < 34 || typeof va !== 'bigint' || va < 0n || va >= TOP) return null;
  const length = typeof bytes === 'bigint' ? Number(bytes) : bytes;
  if (typeof length !== 'number' || !(length > 0 && length <= Number.MAX_SAFE_INTEGER)) return null;
  const pages = length / (1 << pageShift);
  QUAD[0] = va;
  const lo = HALVES[0] as number;
  const hi = HALVES[1] as number;
  if (!Number.isInteger(pages) || (lo & ((1 << pageShift) - 1)) !== 0) return null;
  const above = hi >> (bits - (upper === 'sign' ? 33 : 32));
  if (above !== 0 && above !== -1) return null;
  if ((upper === 'zeros' && above !== 0) || (upper === 'ones' && above === 0)) return null;
  const first = ((hi & ((1 << (bits - 32)) - 1)) >>> 0) * (1 << (32 - pageShift)) + (lo >>> pageShift);
  // The end of the half, or of all that the root translates.
  const all = (1 << (bits - 32)) * (1 << (32 - pageShift));
  const end = upper === 'sign' && above === 0 ? all / 2 : all;
  return first + pages <= end ? { first, pages } : null;
}

function checkedRange(format: PageTableFormat, va: bigint, bytes: bigint | number): PageRange {
  const length = checkBytes(bytes, 'length', va);
  const { pageShift } = format;
  checkAddress(va);
  const page = 1n << BigInt(pageShift);
  requireOnPage(va, page);
  if ((length & (page - 1n)) !== 0n) {
    throw new VmError(
      'EINVAL',
      `${length} bytes are not a multiple of the page size 0x${page.toString(16)}`,
      {
        address: va,
      },
    );
  }
  const lastByte = va + length - 1n;
  if (lastByte >= TOP)
    throw new VmError('ERANGE', `${length} bytes run past the end of the 64-bit addresses`, { address: va });
  if (!isTranslated(format, va)) throw outside(format, va);
  if (!isTranslated(format, lastByte)) throw outside(format, lastByte);
  if (
    va >> BigInt(format.range.bits - 1) !== lastByte >> BigInt(format.range.bits - 1) &&
    format.range.upper === 'sign'
  ) {
    throw new VmError('ERANGE', `${length} bytes cross the hole between the canonical halves`, {
      address: va,
    });
  }
  return { first: pageIndex(format, va), pages: Number(length >> BigInt(pageShift)) };
}

/**
 * The address in two 32-bit words.
 *
 * @throws VmError `EINVAL` when a word is not a 32-bit integer: truncated, it would name another page.
 */
export function addressOfWords(vaHi: number, vaLo: number): bigint {
  for (const word of [vaHi, vaLo]) {
    if (!isWord(word)) {
      throw new VmError('EINVAL', `${shown(word)} is not a 32-bit word of an address`, {
        advice: 'pass bits 63..32 and bits 31..0, each as an integer',
      });
    }
  }
  return joinWords(vaLo, vaHi);
}

function outside(format: PageTableFormat, address: bigint): VmError {
  return new VmError('ERANGE', `${format.name} does not translate the address`, {
    address,
    advice: ruleOf(format.range),
  });
}

/**
 * True when a root of this format translates the address (canonical, or in the root's half).
 *
 * @param va - unsigned 64-bit.
 */
export function isTranslated(format: PageTableFormat, va: bigint): boolean {
  return holdsAddress(format.range, va);
}

/** Addresses in bytes. The end is not included and may be 2^64. */
export interface Span {
  readonly start: bigint;
  readonly end: bigint;
}

/** The addresses that a root translates: one range, or the two halves around the hole. */
export function spansOf(format: PageTableFormat): Span[] {
  const { bits, upper } = format.range;
  const half = 2 ** (bits - 1 - format.pageShift);
  const starts = upper === 'sign' ? [0, half] : [0];
  const size = (1n << BigInt(bits)) / BigInt(starts.length);
  return starts.map((page) => addressOf(format, page)).map((start) => ({ start, end: start + size }));
}

/** The page of an address that the format translates, counted from the start of the root's range. */
export function pageIndex(format: PageTableFormat, va: bigint): number {
  return Number((va & ((1n << BigInt(format.range.bits)) - 1n)) >> BigInt(format.pageShift));
}

/** The address of a page index, upper bits filled in: the inverse of `pageIndex`. */
export function addressOf(format: PageTableFormat, page: number): bigint {
  const { bits, upper } = format.range;
  const low = BigInt(page) << BigInt(format.pageShift);
  if (upper === 'zeros') return low;
  if (upper === 'ones') return low | (TOP - (1n << BigInt(bits)));
  return BigInt.asUintN(64, BigInt.asIntN(bits, low));
}
