import { ACCESS_KINDS, type AccessBatch, FETCH } from './access-batch.js';

/** Room for the further pages of one access. */
const MARGIN = 20;

/** Accesses of pages, in order. One object is refilled. */
export interface PageAccesses {
  length: number;
  /** `FETCH`, `LOAD` or `STORE`. */
  readonly kind: Uint8Array;
  /** The address: that of the access, or where it goes on in its next page. */
  readonly hi: Uint32Array;
  readonly lo: Uint32Array;
}

/** What a stream is made of. */
export interface PageStreamOptions {
  /** log2 of the bytes of a page: 12 or more. */
  readonly pageShift: number;
  /**
   * Whether repeated accesses are left out: those of the page and kind of the last access of the same side. Fetches are one side, loads and
   * stores the other. Where each side has first-level TLBs of its own, the last page of a side is in its TLB, and is the
   * latest there: another access of the same kind hits and changes nothing.
   */
  readonly isCollapsed: boolean;
  /** Which pages exist. Default: all. Accesses of others are counted and left out. */
  readonly isMapped?: ((hi: number, lo: number) => boolean) | null;
}

/** Cuts accesses at pages: one that crosses a page is an access of both. */
export class PageStream {
  readonly pageShift: number;
  /** As in the options. */
  readonly isCollapsed: boolean;
  /** The accesses of the last `fill`. */
  readonly out: PageAccesses;
  /** All accesses so far by kind, also those that were left out as repeated. */
  readonly accesses: Float64Array = new Float64Array(ACCESS_KINDS.length);
  /** Accesses of pages that do not exist. They are not in `accesses`. */
  unmapped = 0;
  readonly #isMapped: ((hi: number, lo: number) => boolean) | null;
  /** The last page of each side. */
  #fetchHi = -1;
  #fetchPage = -1;
  #dataHi = -1;
  #dataPage = -1;
  #dataKind = -1;

  constructor({ pageShift, isCollapsed, isMapped }: PageStreamOptions, room: number = 2 ** 15) {
    this.pageShift = pageShift;
    this.isCollapsed = isCollapsed;
    this.#isMapped = isMapped ?? null;
    const size = room + MARGIN;
    this.out = {
      length: 0,
      kind: new Uint8Array(size),
      hi: new Uint32Array(size),
      lo: new Uint32Array(size),
    };
  }

  /**
   * Takes the accesses `from` to `to - 1` of a batch, or as many as there is room for.
   *
   * @returns the first that was not taken.
   */
  fill({ kind, hi, lo, bytes }: AccessBatch, from: number, to: number): number {
    const { out } = this;
    const size = 2 ** this.pageShift;
    const inPage = size - 1;
    const room = out.kind.length - MARGIN;
    out.length = 0;
    let i = from;
    for (; i < to && out.length < room; i++) {
      const one = kind[i] as number;
      const high = hi[i] as number;
      const low = lo[i] as number;
      this.#add(one, high, low);
      const last = (low & inPage) + (bytes[i] as number) - 1;
      if (last >= size) this.#addFurther(one, high, low, last);
    }
    return i;
  }

  #add(kind: number, hi: number, lo: number): void {
    const { accesses, out } = this;
    const page = lo >>> this.pageShift;
    (accesses[kind] as number) += 1;
    if (kind === FETCH) {
      if (page === this.#fetchPage && hi === this.#fetchHi) return;
    } else if (page === this.#dataPage && hi === this.#dataHi && kind === this.#dataKind) return;
    if (this.#isMapped !== null && !this.#isMapped(hi, lo)) {
      (accesses[kind] as number) -= 1;
      this.unmapped++;
      return;
    }
    if (this.isCollapsed) this.#remember(kind, hi, page);
    const at = out.length++;
    out.kind[at] = kind;
    out.hi[at] = hi;
    out.lo[at] = lo;
  }

  #remember(kind: number, hi: number, page: number): void {
    if (kind === FETCH) {
      this.#fetchHi = hi;
      this.#fetchPage = page;
      return;
    }
    this.#dataHi = hi;
    this.#dataPage = page;
    this.#dataKind = kind;
  }

  /** The further pages of an access. @param last - its last byte, counted from the start of its first page. */
  #addFurther(kind: number, hi: number, lo: number, last: number): void {
    const size = 2 ** this.pageShift;
    let high = hi;
    let low = (lo & -size) >>> 0;
    for (let at = size; at <= last; at += size) {
      low = (low + size) >>> 0;
      if (low === 0) high = (high + 1) >>> 0;
      this.#add(kind, high, low);
    }
  }
}
