import { LargeLeaves } from './large-leaves.js';
import { Spaces } from './spaces.js';

/** log2 of the page of a line. It is 4 KiB for every format: a larger page takes several lines. */
const LINE_SHIFT = 12;
/** Sections: read, write, execute by the kernel, an unused one, and the same by user mode. */
const SECTIONS = 7;
const FIRST_OF_USER = 4;
/** Address spaces have the slots of user mode in one of so many orders, since they use the same addresses. */
const ORDERS = 16;
/** Who has pages of a slot. */
const BY_KERNEL = 1;
const BY_USER = 2;
/** No address has such a line: bits 2..0 of a line's first word are 0, and 3 of an address with its alignment. */
export const EMPTY = -1;
/** Where the number of the address space is in a line's first word. */
export const SPACE_SHIFT = 4;
/** Where the number of what all share is in a line's last word, and the bits of the bank. */
const SHARED_SHIFT = 16;
export const BANK = 0xffff;

/**
 * A direct-mapped TLB of pages, in typed arrays. Each kind of access has lines of its own, so a line that is there allows the
 * access. A line is four words:
 *
 * 0. bits 31..12 of the address; from bit 4 on the number of the address space that used it last; bit 3, *elsewhere*: its bytes are not
 *    in the main bank;
 * 1. bits 63..32 of the address;
 * 2. the word of the page in its bank;
 * 3. the number of its bank, from 1 on, 0 for a frame without bytes; above it the number of what all address spaces share, when it is
 *    a global translation, else 0.
 *
 * A hit compares with one address space. A global translation that another one used last is handed over in `look`, without a walk.
 */
export class SoftwareTlb {
  readonly lines: Int32Array;
  /** By line: its frame, in units of 4 KiB. */
  readonly frames: Float64Array;
  /** Lines of a kind of access. */
  readonly entries: number;
  readonly spaces: Spaces;
  readonly #large = new LargeLeaves();
  /**
   * By slot: whose lines may hold a page with it. It may say yes wrongly, never no. Most flushes are of pages that no processor has used:
   * without this, a flush of one page took 0.8 µs of looks at 51 lines.
   */
  readonly #held: Uint8Array;

  /** @param entries - lines of each kind of access: a power of two. */
  constructor(entries: number) {
    this.entries = entries;
    this.lines = new Int32Array(SECTIONS * entries * 4).fill(EMPTY);
    this.frames = new Float64Array(SECTIONS * entries).fill(0);
    this.#held = new Uint8Array(entries);
    this.spaces = new Spaces(() => this.#clear());
  }

  /** Notes that a page is about to be in a line. */
  notePage(vaLo: number, isUser: boolean): void {
    const slot = (vaLo >>> LINE_SHIFT) & (this.entries - 1);
    this.#held[slot] = (this.#held[slot] as number) | (isUser ? BY_USER : BY_KERNEL);
  }

  /**
   * Notes that a page of a leaf is in a line.
   *
   * @param shift - log2 bytes of the leaf, or of its run.
   */
  noteLeaf(shift: number, vaHi: number, vaLo: number): void {
    if (shift > LINE_SHIFT) this.#large.add(shift, vaHi, vaLo);
  }

  /** Forgets the leaf of an address, whatever its size. */
  dropPage(vaHi: number, vaLo: number, asid: number, globals: boolean): void {
    this.#dropLeaf(LINE_SHIFT, vaHi, vaLo, asid, globals);
    for (const shift of this.#large.shifts) {
      if (this.#large.has(shift, vaHi, vaLo)) this.#dropLeaf(shift, vaHi, vaLo, asid, globals);
    }
  }

  /** Forgets the leaves of a range of pages. */
  dropRange(vaHi: number, vaLo: number, pages: number, asid: number, globals: boolean): void {
    // What lies inside goes page by page; a large leaf may reach out of it at both ends.
    this.dropPage(vaHi, vaLo, asid, globals);
    let hi = vaHi;
    let lo = vaLo;
    for (let page = 1; page < pages; page++) {
      const next = (lo >>> 0) + 2 ** LINE_SHIFT;
      lo = next | 0;
      if (next >= 4294967296) hi = (hi + 1) | 0;
      if (page === pages - 1) this.dropPage(hi, lo, asid, globals);
      else this.#dropLeaf(LINE_SHIFT, hi, lo, asid, globals);
    }
  }

  /** Forgets all global translations, whichever address space used them last. */
  dropGlobals(): void {
    const { lines } = this;
    for (let line = 0; line < lines.length; line += 4) {
      if ((lines[line + 3] as number) >>> SHARED_SHIFT !== 0) lines[line] = EMPTY;
    }
  }

  /**
   * Where the lines of user mode begin for an address space; to be combined with a slot by exclusive or. The kernel's lines are the
   * same for all: it mostly has the same pages in all of them.
   */
  usersOf(space: number): number {
    return (FIRST_OF_USER * this.entries * 4) | this.#orderOf(space % ORDERS);
  }

  #orderOf(order: number): number {
    return order * (this.entries / ORDERS) * 4;
  }

  /** Empties the lines of the pages of a leaf that holds an address. */
  #dropLeaf(shift: number, vaHi: number, vaLo: number, asid: number, globals: boolean): void {
    const pages = 2 ** (shift - LINE_SHIFT);
    const keepLo = shift < 32 ? (-1 << shift) & PAGE : 0;
    const keepHi = shift <= 32 ? -1 : -1 << (shift - 32);
    // With as many pages as slots, the first one is 0.
    const first = (vaLo >>> LINE_SHIFT) & (this.entries - 1) & -pages;
    const end = first + Math.min(pages, this.entries);
    for (let slot = first; slot < end; slot++) {
      const held = this.#held[slot] as number;
      if (held === 0) continue;
      let left = 0;
      if ((held & BY_KERNEL) !== 0) {
        for (let section = 0; section < FIRST_OF_USER; section++) {
          const line = (section * this.entries + slot) * 4;
          if (this.#dropLine(line, slot, vaHi, vaLo, keepHi, keepLo, asid, globals)) left |= BY_KERNEL;
        }
      }
      if ((held & BY_USER) !== 0) {
        for (let section = FIRST_OF_USER; section < SECTIONS; section++) {
          for (let order = 0; order < ORDERS; order++) {
            const line = section * this.entries * 4 + ((slot << 2) ^ this.#orderOf(order));
            if (this.#dropLine(line, slot, vaHi, vaLo, keepHi, keepLo, asid, globals)) left |= BY_USER;
          }
        }
      }
      this.#held[slot] = left;
    }
  }

  /**
   * Empties a line when it holds a page of a leaf.
   *
   * @param slot - of the page, before the order of an address space.
   * @returns true when the line still holds a page with this slot.
   */
  #dropLine(
    line: number,
    slot: number,
    vaHi: number,
    vaLo: number,
    keepHi: number,
    keepLo: number,
    asid: number,
    globals: boolean,
  ): boolean {
    const { lines } = this;
    const tag = lines[line] as number;
    if (tag === EMPTY || ((tag >>> LINE_SHIFT) & (this.entries - 1)) !== slot) return false;
    if ((((tag ^ vaLo) & keepLo) | (((lines[line + 1] as number) ^ vaHi) & keepHi)) !== 0) return true;
    const isGlobal = (lines[line + 3] as number) >>> SHARED_SHIFT !== 0;
    const isNamed = isGlobal ? globals : asid < 0 || this.spaces.asidOf((tag >>> SPACE_SHIFT) & 255) === asid;
    if (isNamed) lines[line] = EMPTY;
    return !isNamed;
  }

  #clear(): void {
    this.lines.fill(EMPTY);
    this.#held.fill(0);
    this.#large.clear();
  }
}

/** The bits of an address's low word that name a page. */
const PAGE = -4096;
