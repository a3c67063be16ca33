import { checkAlign, checkBytes } from '../check/bytes.js';
import { integerOption, wrongValue } from '../check/members.js';
import { hex, VmError, wideHex } from '../errors.js';
import { TOP } from '../words.js';

/** Addresses from start to end, the end exclusive. */
export interface AddressWindow {
  /** First byte. */
  readonly start: bigint;
  /** The byte after the last one. */
  readonly end: bigint;
}

/** The smallest range that holds both; when one is missing, the other. */
export function hullOf(
  a: AddressWindow | undefined,
  b: AddressWindow | undefined,
): AddressWindow | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const [first] = a.start <= b.start ? [a] : [b];
  const [last] = a.end >= b.end ? [a] : [b];
  return { start: first.start, end: last.end };
}

/** A window in pages, as `FreeSpace` expects it. */
export interface PageWindow {
  /** First whole page. */
  readonly vstart: number;
  /** End; half a page more when it is not a multiple of a page. */
  readonly vend: number;
}

/**
 * Converts between bytes, as the face has them, and pages. The page number of a 64-bit address fits a double
 * exactly.
 */
export class PageUnits {
  /** log2 of the page size in bytes. */
  readonly shift: number;
  readonly #shift: bigint;
  readonly #pageBytes: bigint;

  /** @throws VmError `EINVAL` when the page shift is not 12 to 16. */
  constructor(shift: unknown) {
    this.shift = integerOption({ pageShift: shift }, 'pageShift', 12, 16);
    this.#shift = BigInt(this.shift);
    this.#pageBytes = 1n << this.#shift;
  }

  /** Page number of an address. */
  page(address: bigint): number {
    return Number(address >> this.#shift);
  }

  /** The first byte of a page, or the length of so many pages in bytes. */
  bytes(pages: number): bigint {
    return BigInt(pages) << this.#shift;
  }

  /**
   * A length in pages.
   *
   * @param what - its name in errors.
   * @throws VmError `EINVAL` unless it is a multiple of the page size; `ENOMEM` from 2^64 on, which no window
   *   holds.
   */
  pages(bytes: unknown, what: string): number {
    const exact = bytes === 0 || bytes === 0n ? 0n : checkBytes(bytes, what);
    if ((exact & (this.#pageBytes - 1n)) !== 0n)
      throw new VmError(
        'EINVAL',
        `${what} ${exact} is not a multiple of the page size ${hex(this.#pageBytes)}`,
      );
    if (exact >= TOP)
      throw new VmError('ENOMEM', `the ${what} is ${wideHex(exact)} bytes, and no window is as large`);
    return Number(exact >> this.#shift);
  }

  /**
   * A guard as a number of bytes, the form that areas carry.
   *
   * @throws VmError `EINVAL` unless it is a number, and a multiple of the page size.
   */
  guard(bytes: unknown): number {
    if (!Number.isSafeInteger(bytes) || (bytes as number) < 0)
      throw wrongValue('guardBytes', bytes, 'a number of bytes, 0 or more');
    if ((bytes as number) % 2 ** this.shift !== 0)
      throw wrongValue('guardBytes', bytes, `a multiple of the page size ${hex(this.#pageBytes)}`);
    return bytes as number;
  }

  /**
   * An alignment in pages.
   *
   * @param align - bytes. Default: a page.
   * @throws VmError `EINVAL` unless it is a power of two of at least a page.
   */
  alignment(align: unknown): number {
    if (align === undefined) return 1;
    checkAlign(align);
    if (align < this.#pageBytes || align >= TOP)
      throw new VmError(
        'EINVAL',
        `alignment ${wideHex(align)} is not a power of two from the page size ${hex(this.#pageBytes)} to 2^63`,
      );
    return Number(align >> this.#shift);
  }

  /**
   * A checked window in pages.
   *
   * @throws VmError `EINVAL` when it holds no whole page.
   */
  window({ start, end }: AddressWindow): PageWindow {
    const isRagged = BigInt.asUintN(this.shift, end) !== 0n;
    const vstart = this.page(start + this.#pageBytes - 1n);
    const vend = this.page(end) + (isRagged ? 0.5 : 0);
    if (vstart >= Math.floor(vend))
      throw new VmError('EINVAL', `${windowName({ start, end })} holds no page of ${this.#pageBytes} bytes`);
    return { vstart, vend };
  }
}

/** A window, for errors. Its end may be 2^64. */
export function windowName({ start, end }: AddressWindow): string {
  return `the window ${hex(start)} .. ${wideHex(end)}`;
}
