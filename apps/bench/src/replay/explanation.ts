import { FreeSpace, NIL } from '@vmarea/core';
import type { LiveArea } from './live-areas.js';
import type { Source, Wanted } from './sources.js';
import type { State } from './state.js';

/** The most rows that together explain one difference. */
const MOST = 16;
/** The lost requests that are looked at, of those that are freed next. */
const OPEN = 64;

/** What an explanation has changed so far. */
interface Attempt {
  /** Steps that take it back, when it explains nothing. */
  readonly undo: (() => void)[];
  /** Steps for when it explains the difference. */
  readonly done: (() => void)[];
  /** The free tree before the first change. A range that goes and comes back gives it another shape. */
  saved: FreeSpace | null;
}

/**
 * Explains a difference by rows that are lost or have a wrong size: if the replay, put right in these, gives exactly the recorded address,
 * it goes on from there. The difference counts all the same.
 *
 * What is lost and wrong comes from the ledger, and so not from the answer that differs.
 */
export class Explanation {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  /**
   * Explains an answer of the free tree, of which nothing is taken yet.
   *
   * @returns the pages that are taken at the recorded address; `null` when nothing explains it.
   */
  ofTree(row: number, wanted: Wanted, recorded: number, found: number): number | null {
    const { free } = this.#state;
    const attempt: Attempt = { undo: [], done: [], saved: null };
    let at = found;
    let now = wanted;
    for (let i = 0; i < MOST; i++) {
      if (at === recorded) {
        if (attempt.undo.length > 0) this.#state.isShapeKnown = false;
        for (const step of attempt.done) step();
        free.take(now.size, now.align, now.vstart, now.vend);
        return now.size;
      }
      const own = this.#state.ledger.sizes.get(row);
      if (i === 0 && own !== undefined) now = { ...wanted, size: own };
      else if (!this.#putRight(row, now, recorded, at, attempt)) break;
      at = free.find(now.size, now.align, now.vstart, now.vend);
    }
    for (const step of attempt.undo.reverse()) step();
    if (attempt.saved !== null) free.copyFrom(attempt.saved);
    return null;
  }

  /**
   * True when another shape of the free tree may give the recorded address, and the recording does not tell the shape: it depends on when
   * each area was taken, and the row of one is lost. Takes the place.
   *
   * Linux finds the lowest place for alignments up to a page, whatever the shape is.
   */
  otherShape(row: number, { size, align, vstart, vend }: Wanted, recorded: number): boolean {
    if (align === 1 || recorded + size > vend || (this.#state.isShapeKnown && !this.#isOpen(row)))
      return false;
    const { free, live } = this.#state;
    const node = free.enclosing(recorded);
    const start = node === NIL ? null : Math.max(free.tree.start[node] as number, vstart);
    return start !== null && Math.ceil(start / align) * align === recorded && live.take(recorded, size);
  }

  /** True when the area of a lost request may have its place already, or not yet. */
  #isOpen(row: number): boolean {
    const { lost, live, free } = this.#state;
    return lost.after(row, OPEN).some(({ start }) => {
      const node = live.has(start) ? NIL : free.enclosing(start);
      return node !== NIL && (free.tree.start[node] as number) <= start;
    });
  }

  /** The same for a range that was taken from a pool: a request that is lost took it before. */
  ofPool(row: number, wanted: Wanted, recorded: number, { start, pool }: Source): number | null {
    const { lost, nodes, live } = this.#state;
    const { size, align } = wanted;
    const isLost = (place: number): boolean =>
      lost.overlapping(row, place, size).some((area) => area.start === place && area.size === size);
    const held: number[] = [];
    let at = start;
    while (at >= 0 && at !== recorded && isLost(at)) {
      held.push(at);
      at = nodes.take(pool, size, align);
    }
    const isExplained =
      held.length > 0 &&
      (at === recorded || (at < 0 && this.ofTree(row, wanted, recorded, this.#find(wanted)) !== null));
    if (!isExplained) {
      if (at >= 0 && at !== start) nodes.untake(pool, { start: at, size, node: pool });
      for (const one of held.reverse())
        if (one !== start) nodes.untake(pool, { start: one, size, node: pool });
      return null;
    }
    for (const one of held) live.addLost({ start: one, size, node: pool });
    return size;
  }

  /** Puts one thing right that may explain why a place is not the recorded one. Returns false when there is none. */
  #putRight(row: number, wanted: Wanted, recorded: number, found: number, attempt: Attempt): boolean {
    attempt.saved ??= this.#copy();
    return (
      this.#free(row, recorded, wanted.size, attempt) ||
      this.#resize(recorded, 1, attempt) ||
      (found >= 0 &&
        (this.#resize(found - wanted.align, wanted.align, attempt) ||
          this.#hold(row, found, wanted.size, attempt))) ||
      this.#resizeAll(attempt)
    );
  }

  /** Frees areas whose place the recording gives again. */
  #free(row: number, start: number, size: number, attempt: Attempt): boolean {
    const { losses, live, trace } = this.#state;
    const gone = losses.under(row, start, size);
    for (const { start: name, row: request } of gone) {
      const area = live.drop(name);
      if (area === null) continue;
      attempt.undo.push(() => live.add(name, area));
      const one = { start: name, row: request };
      attempt.done.push(() => this.#state.lostFree(trace.rows[row] as (typeof trace.rows)[number], one));
    }
    return gone.length > 0;
  }

  /** Gives live areas at some pages their right size. */
  #resize(start: number, size: number, attempt: Attempt): boolean {
    const { live, ledger } = this.#state;
    let isChanged = false;
    for (const [name, area] of live.overlapping(start, size)) {
      const right = ledger.sizes.get(area.row ?? -1);
      if (right === undefined || right === area.size || !live.resize(name, right)) continue;
      isChanged = true;
      attempt.undo.push(() => live.add(name, area));
    }
    return isChanged;
  }

  /** The same for all of them. */
  #resizeAll(attempt: Attempt): boolean {
    const { live, wrongSizes } = this.#state;
    const changed: readonly (readonly [number, LiveArea])[] = this.#state.resizeAll();
    attempt.undo.push(() => {
      for (const [name, area] of changed) {
        live.add(name, area);
        wrongSizes.add(name);
      }
    });
    return changed.length > 0;
  }

  #copy(): FreeSpace {
    const copy = new FreeSpace(1);
    copy.copyFrom(this.#state.free);
    return copy;
  }

  /** Gives a place to the area whose request is lost. */
  #hold(row: number, start: number, size: number, { undo }: Attempt): boolean {
    const { lost, live } = this.#state;
    let isHeld = false;
    for (const area of lost.overlapping(row, start, size)) {
      if (live.has(area.start) || !live.take(area.start, area.size)) continue;
      const added = { ...area, node: -1 };
      live.addLost(added);
      undo.push(() => live.forgetLost(added));
      isHeld = true;
    }
    return isHeld;
  }

  #find({ size, align, vstart, vend }: Wanted): number {
    return this.#state.free.find(size, align, vstart, vend);
  }
}
