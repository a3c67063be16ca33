import { hex, VmError } from '../errors.js';

/** A reserved range of addresses. Only the map that made it can free it. */
export interface Area {
  /** First byte. */
  readonly address: bigint;
  /** Usable bytes, without the guard. */
  readonly bytes: bigint;
  /** Bytes after the usable ones that are reserved too and never mapped. */
  readonly guardBytes: number;
}

/** The window that an {@link AreaMap} hands out. */
export interface AreaMapOptions {
  /** First byte; rounded up to a page. */
  readonly start: bigint;
  /** The byte after the last one; a page that is only partly below it is not used. */
  readonly end: bigint;
  /** log2 of the page size. */
  readonly pageShift: number;
}

/** What a reservation asks for beside its size. */
export interface ReserveOptions {
  /** Alignment of the address in bytes: a power of two of at least a page, which is the default. */
  readonly align?: bigint;
  /** Bytes to keep free after the area, whole pages; default 0. */
  readonly guardBytes?: number;
}

/** A live area in pages, guard included. */
interface Entry {
  readonly first: number;
  readonly end: number;
  readonly area: Area;
}

/** A free range in pages. */
interface Gap {
  first: number;
  end: number;
}

/** Addresses are unsigned 64-bit numbers; as page numbers of at least 4096 bytes they are exact doubles. */
const SPACE_BITS = 64;
const SMALLEST_PAGE_SHIFT = 12;

/**
 * Hands out ranges of one window of addresses, always at the lowest address that fits, and finds the area
 * that an address belongs to. It knows nothing of page tables.
 *
 * Addresses are `bigint` bytes at the face and page numbers inside.
 *
 * @example
 * ```ts
 * const map = new AreaMap({ start: 0x10000n, end: 0x20000n, pageShift: 12 });
 * const area = map.reserve(0x4000, { guardBytes: 0x1000 });
 * map.find(area.address + 0x4000n) === area; // true: the guard belongs to the area
 * map.free(area);
 * ```
 */
export class AreaMap {
  readonly #pageShift: number;
  readonly #pageBytes: bigint;
  readonly #window: string;
  /** Free ranges, ascending; neighbours are always merged. */
  readonly #gaps: Gap[];
  /** Live areas, ascending. */
  readonly #live: Entry[] = [];
  #freePages: number;

  /** @throws VmError `EINVAL` for a window without a whole page, or outside the 64-bit address space. */
  constructor(options: AreaMapOptions) {
    const { start, end, pageShift } = options;
    if (!Number.isInteger(pageShift) || pageShift < SMALLEST_PAGE_SHIFT || pageShift > 30) {
      throw new VmError('EINVAL', `page shift ${pageShift} is not a whole number from 12 to 30`);
    }
    if (typeof start !== 'bigint' || typeof end !== 'bigint') {
      throw new VmError('EINVAL', 'the start and end of the window are bigints of bytes');
    }
    this.#pageShift = pageShift;
    this.#pageBytes = 1n << BigInt(pageShift);
    this.#window = `${hex(start)} .. ${hex(end)}`;
    if (start < 0n || end > 1n << BigInt(SPACE_BITS)) {
      throw new VmError('EINVAL', `the window ${start} .. ${end} leaves the 64-bit address space`);
    }
    const first = this.#page(start + this.#pageBytes - 1n);
    const last = this.#page(end);
    if (first >= last) {
      throw new VmError('EINVAL', `the window ${this.#window} holds no page of ${this.#pageBytes} bytes`);
    }
    this.#gaps = [{ first, end: last }];
    this.#freePages = last - first;
  }

  /** Number of live areas. */
  get count(): number {
    return this.#live.length;
  }

  /** Bytes of the window that no area and no guard holds. */
  get freeBytes(): bigint {
    return BigInt(this.#freePages) << BigInt(this.#pageShift);
  }

  /**
   * Reserves the lowest range that fits the size, the alignment and the guard.
   *
   * @param bytes - usable bytes: whole pages, at least one.
   * @throws VmError `EINVAL` when the size, the alignment or the guard makes no sense; `ENOMEM` when nothing fits.
   */
  reserve(bytes: number | bigint, options: ReserveOptions = {}): Area {
    const pages = this.#pages(bytes, 'size');
    if (pages === 0) throw new VmError('EINVAL', 'an area needs at least one page, not 0 bytes');
    const guardBytes = options.guardBytes ?? 0;
    const total = pages + this.#pages(guardBytes, 'guard');
    const align = options.align ?? this.#pageBytes;
    if (typeof align !== 'bigint') {
      throw new VmError('EINVAL', `the alignment has type ${typeof align}, expected bigint of bytes`);
    }
    if (align < this.#pageBytes || (align & (align - 1n)) !== 0n) {
      throw new VmError(
        'EINVAL',
        `alignment ${hex(align)} is not a power of two of at least the page size ${hex(this.#pageBytes)}`,
      );
    }
    const step = Number(align >> BigInt(this.#pageShift));

    const gaps = this.#gaps;
    for (let i = 0; i < gaps.length; i++) {
      const gap = gaps[i] as Gap;
      const first = Math.ceil(gap.first / step) * step;
      if (first + total > gap.end) continue;
      this.#take(i, first, first + total);
      const area: Area = Object.freeze({
        address: BigInt(first) << BigInt(this.#pageShift),
        bytes: BigInt(pages) << BigInt(this.#pageShift),
        guardBytes,
      });
      this.#live.splice(this.#liveAfter(first), 0, { first, end: first + total, area });
      this.#freePages -= total;
      return area;
    }
    throw new VmError(
      'ENOMEM',
      `no free range for ${bytes} bytes and a guard of ${guardBytes}, aligned to ${hex(align)}, in the window ${this.#window}`,
      { advice: `${this.freeBytes} bytes are free in ${gaps.length} pieces` },
    );
  }

  /**
   * Gives the range of an area and its guard back.
   *
   * @throws VmError `EINVAL` when the area is not live in this map.
   */
  free(area: Area): void {
    const index = this.#liveAfter(this.#page(area.address)) - 1;
    const entry = this.#live[index];
    if (entry?.area !== area) {
      throw new VmError('EINVAL', 'the area is not live in this map', {
        address: area.address,
        advice: 'it was freed before or belongs to another map',
      });
    }
    this.#live.splice(index, 1);
    this.#give(entry.first, entry.end);
    this.#freePages += entry.end - entry.first;
  }

  /** The live area that holds an address, in its usable bytes or in its guard. */
  find(address: bigint): Area | undefined {
    const page = this.#page(address);
    const entry = this.#live[this.#liveAfter(page) - 1];
    return entry !== undefined && page < entry.end ? entry.area : undefined;
  }

  /** The areas that are live at the moment of the call, by address. Freeing them on the way is allowed. */
  [Symbol.iterator](): IterableIterator<Area> {
    return this.#live.map((entry) => entry.area).values();
  }

  /** Page number of an address; exact for every 64-bit address. */
  #page(address: bigint): number {
    return Number(address >> BigInt(this.#pageShift));
  }

  /** A length in pages. */
  #pages(bytes: number | bigint, what: string): number {
    if (typeof bytes !== 'number' && typeof bytes !== 'bigint') {
      throw new VmError(
        'EINVAL',
        `the ${what} has type ${typeof bytes}, expected number or bigint, of bytes`,
      );
    }
    if (typeof bytes === 'number' && !Number.isSafeInteger(bytes)) {
      throw new VmError('EINVAL', `${what} ${bytes} is not a whole number of bytes`);
    }
    const exact = BigInt(bytes);
    if (exact < 0n || exact % this.#pageBytes !== 0n) {
      throw new VmError(
        'EINVAL',
        `${what} ${bytes} is not a multiple of the page size ${hex(this.#pageBytes)}`,
      );
    }
    return Number(exact >> BigInt(this.#pageShift));
  }

  /** Index of the first live area that starts after a page. */
  #liveAfter(page: number): number {
    let low = 0;
    let high = this.#live.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#live[middle] as Entry).first <= page) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Cuts a range out of the gap that holds it. */
  #take(index: number, first: number, end: number): void {
    const gap = this.#gaps[index] as Gap;
    const rest: Gap[] = [];
    if (gap.first < first) rest.push({ first: gap.first, end: first });
    if (end < gap.end) rest.push({ first: end, end: gap.end });
    this.#gaps.splice(index, 1, ...rest);
  }

  /** Adds a range to the gaps and merges it with its neighbours. */
  #give(first: number, end: number): void {
    const gaps = this.#gaps;
    let low = 0;
    let high = gaps.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((gaps[middle] as Gap).first < first) low = middle + 1;
      else high = middle;
    }
    const before = gaps[low - 1];
    const after = gaps[low];
    const joinsBefore = before !== undefined && before.end === first;
    const joinsAfter = after !== undefined && after.first === end;
    const merged: Gap = {
      first: joinsBefore ? before.first : first,
      end: joinsAfter ? after.end : end,
    };
    gaps.splice(joinsBefore ? low - 1 : low, Number(joinsBefore) + Number(joinsAfter), merged);
  }
}
