import { IntervalTree, NIL } from './interval-tree.js';

/** Nothing fits. */
export const NOTHING_FITS = -1;
/** The range that was found begins too late to end inside the window. */
const OUT_OF_RANGE = -2;

/**
 * The free ranges of the kernel's address space, kept and searched as Linux does.
 *
 * Everything is in pages. Linux's space is [1, 2^64 − 1) in bytes: its first and last page are a byte short.
 * Here they are half a page short, so that they compare as they do in bytes and never equal whole pages.
 *
 * Arguments are not checked: this is a part of `VmapAreas`, which checks them, for replays and simulators.
 *
 * Source: Linux 6.12, `mm/vmalloc.c`: find_vmap_lowest_match, is_within_this_va, va_clip,
 * merge_or_add_vmap_area, vmap_init_free_space.
 */
export class FreeSpace {
  /** The free ranges. A node has the first page, and the end in pages, exclusive. */
  readonly tree: IntervalTree = new IntervalTree();
  /** The node that `find` found. */
  #found: number = NIL;

  /**
   * @param pages - of the whole address space: 2^64 bytes.
   * @param early - areas that exist from the start, by address, without overlap. The free ranges between
   *   them are added in ascending order.
   */
  constructor(pages: number, early: readonly { readonly start: number; readonly size: number }[] = []) {
    let from = 0.5;
    for (const { start, size } of early) {
      if (start > from) this.tree.insert(from, start);
      from = start + size;
    }
    if (pages - 0.5 > from) this.tree.insert(from, pages - 0.5);
  }

  /**
   * Takes the range that Linux would take. For alignments up to a page it is the lowest that fits. For
   * larger ones it is the one that a search for the padded length meets, which depends on the tree's shape.
   *
   * @param size - in pages, at least 1.
   * @param align - in pages, a power of two.
   * @param vstart - first page of the window.
   * @param vend - end of the window; half a page more when Linux's is not a multiple of a page.
   * @returns the first page; `NOTHING_FITS`; -2 when the range that was found ends outside the window.
   */
  take(size: number, align: number, vstart: number, vend: number): number {
    const start = this.find(size, align, vstart, vend);
    if (start >= 0) this.clip(this.#found, start, size);
    return start;
  }

  /**
   * Finds the page that `take` would take, and takes nothing: for a replay that must choose between two sources.
   *
   * @returns the first page; `NOTHING_FITS`; -2 when the range that was found ends outside the window.
   */
  find(size: number, align: number, vstart: number, vend: number): number {
    // The search for a request that fills its window uses no padding.
    const isPadded = align > 1 && vend - vstart !== size;
    const node = this.#find(size, align, vstart, isPadded);
    if (node === NIL) return NOTHING_FITS;
    this.#found = node;
    const start = alignUp(Math.max(this.tree.start[node] as number, vstart), align);
    return start + size > vend ? OUT_OF_RANGE : start;
  }

  /** Becomes a copy of another, for example to start again from a saved state. */
  copyFrom({ tree }: FreeSpace): void {
    this.tree.copyFrom(tree);
  }

  /** The lowest match, searched as Linux does. */
  #find(size: number, align: number, windowStart: number, isPadded: boolean): number {
    const { tree } = this;
    const { start, end, longest, child } = tree;
    // size + align − 1 bytes; the last page is a byte short.
    const length = isPadded ? size + align - 0.5 : size;
    let vstart = windowStart;
    let node = tree.root;
    while (node !== NIL) {
      const from = start[node] as number;
      const left = child[2 * node] as number;
      if (vstart < from && (longest[left] as number) >= length) {
        node = left;
        continue;
      }
      if (isWithin(from, end[node] as number, size, align, vstart)) return node;
      const right = child[2 * node + 1] as number;
      if ((longest[right] as number) >= length) {
        node = right;
        continue;
      }
      for (;;) {
        node = tree.parent(node);
        if (node === NIL) return NIL;
        const above = start[node] as number;
        if (isWithin(above, end[node] as number, size, align, vstart)) return node;
        const other = child[2 * node + 1] as number;
        if (vstart <= above && (longest[other] as number) >= length) {
          // One byte more than the start: the next page.
          vstart = above + 0.5;
          node = other;
          break;
        }
      }
    }
    return NIL;
  }

  /** Takes a range out of the free range that holds it. After a split, the node is the part on the right. */
  clip(node: number, start: number, size: number): void {
    const { tree } = this;
    const from = tree.start[node] as number;
    const to = tree.end[node] as number;
    const end = start + size;
    if (from === start) {
      if (to === end) {
        tree.erase(node);
        return;
      }
      tree.start[node] = end;
      tree.propagate(node);
    } else if (to === end) {
      tree.end[node] = start;
      tree.propagate(node);
    } else {
      tree.start[node] = end;
      tree.propagate(node);
      tree.insert(from, start, node);
    }
  }

  /**
   * Gives a range back. It joins the free range after it, then the one before it. When it touches both, the
   * one before survives.
   *
   * @returns false, and nothing is done, when it overlaps a free range.
   */
  give(start: number, end: number): boolean {
    const { tree } = this;
    const link = tree.link(start, end);
    if (link < 0) return false;
    const parent = link >> 1;
    if (parent === NIL) {
      tree.insertAt(link, start, end);
      return true;
    }
    const behind = (link & 1) === 1 ? tree.next(parent) : parent;
    const before = tree.previous(behind);
    let merged: number = NIL;
    if (behind !== NIL && tree.start[behind] === end) {
      tree.start[behind] = start;
      merged = behind;
    }
    if (before !== NIL && tree.end[before] === start) {
      const until = merged === NIL ? end : (tree.end[merged] as number);
      if (merged !== NIL) tree.erase(merged);
      tree.end[before] = until;
      merged = before;
    }
    if (merged === NIL) tree.insertAt(link, start, end);
    else tree.propagate(merged);
    return true;
  }

  /**
   * The highest free range that begins at or below an address. When a range holds or touches the address, it
   * is that one.
   *
   * Source: Linux 6.12, pvm_find_va_enclose_addr.
   */
  enclosing(page: number): number {
    const { tree } = this;
    let node = tree.root;
    let found: number = NIL;
    while (node !== NIL) {
      if ((tree.start[node] as number) <= page) {
        found = node;
        if ((tree.end[node] as number) >= page) break;
        node = tree.right(node);
      } else {
        node = tree.left(node);
      }
    }
    return found;
  }
}

/** The next multiple of a power of two. */
function alignUp(page: number, align: number): number {
  // Most requests have an alignment of a page, and a division takes 4 ns.
  return align === 1 ? Math.ceil(page) : Math.ceil(page / align) * align;
}

/** is_within_this_va: true when an aligned range fits into a free one. */
function isWithin(from: number, to: number, size: number, align: number, vstart: number): boolean {
  return alignUp(Math.max(from, vstart), align) + size <= to;
}
