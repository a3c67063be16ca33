import { BitTree } from './bit-tree.js';
import { BUSY_SPAN, NO_NODE, WRONG_SPAN } from './codes.js';
import { SlotState, SlotStates, type SlotStateValue } from './slot-states.js';

/**
 * Decides whether one allocation of a range's record succeeds. Linux allocates a node there, which may fail at any time
 * (kmalloc_nolock). This room needs no memory for it.
 */
export type MayAllocate = () => boolean;

/** More say no more. */
const MOST_TEXTS = 100;

/** Words of the parts that all kinds have. */
interface Parts {
  readonly states: Int32Array;
  readonly lengths: Int32Array;
  readonly starts: Int32Array;
  readonly rest: Int32Array;
}

/**
 * The free slots as ranges: the longest possible ranges of available slots, and single ranges of unavailable ones.
 *
 * A range is kept at its first slot, so it needs no record elsewhere and no call allocates. What an order among ranges
 * needs beside is the business of a kind: `link` and `unlink` are called in the order in which Linux inserts nodes into
 * its trees and removes them.
 *
 * Each call that changes something asks `mayAllocate` first, once for each node that Linux allocates, and changes nothing
 * when one is refused.
 */
export abstract class Ranges {
  /** Number of slots. */
  readonly count: number;
  readonly #states: SlotStates;
  /** Slots of the range that begins at a slot; negative for an unavailable range; 0 for none. */
  readonly #lengths: Int32Array;
  /** The slots at which ranges begin. */
  readonly #starts: BitTree;
  readonly #startWords: Int32Array;
  readonly #mayAllocate: MayAllocate;

  /** Words of the parts of this class. */
  protected static commonWords(count: number): number {
    return SlotStates.wordsFor(count) + count + BitTree.wordsFor(count);
  }

  /** @param words - of all parts; all 0 for slots that are all allocated. */
  constructor(count: number, { states, lengths, starts }: Parts, mayAllocate: MayAllocate) {
    this.count = count;
    this.#states = new SlotStates(states);
    this.#lengths = lengths;
    this.#starts = new BitTree(starts, count);
    this.#startWords = starts;
    this.#mayAllocate = mayAllocate;
  }

  /** Where a request without a hint goes: its first slot, or `NONE_FITS`. */
  abstract find(count: number): number;

  /**
   * Where a request goes that must begin at a multiple: of the ranges, in the order of `find`, the first one that holds it.
   *
   * @param align - slots.
   * @param offset - of slot 0 from a multiple, in slots, below `align`.
   * @returns its first slot, or `NONE_FITS`.
   */
  abstract findAligned(count: number, align: number, offset: number): number;

  /** A range came to be. */
  protected abstract link(start: number, count: number): void;

  /** A range went. */
  protected abstract unlink(start: number, count: number): void;

  /** Forgets every range that `link` was called for. */
  protected abstract forget(): void;

  /** The state of a slot. */
  stateOf(slot: number): SlotStateValue {
    return this.#states.of(slot);
  }

  /** The length of a range that begins at a slot, negative when it is unavailable; 0 for none. */
  lengthAt(start: number): number {
    return this.#lengths[start] as number;
  }

  /** The first slot, from this one on, at which a range begins; -1 for none. */
  nextRange(slot: number): number {
    return slot >= this.count ? -1 : this.#starts.next(slot);
  }

  /**
   * True when ranges cover a whole span (is_range_tree_set). Unavailable ranges count: the call after this one finds
   * them.
   */
  isSet(start: number, count: number): boolean {
    const end = start + count;
    for (let at = this.rangeAt(start); at >= 0; ) {
      const next = at + Math.abs(this.lengthAt(at));
      if (next >= end) return true;
      at = this.lengthAt(next) === 0 ? -1 : next;
    }
    return false;
  }

  /**
   * Takes a span out of the ranges (range_tree_clear): its slots are allocated. Slots that are allocated already may be
   * among them.
   *
   * @returns 0; `BUSY_SPAN` when one of its slots is unavailable; `NO_NODE`.
   */
  clear(start: number, count: number): number {
    const length = this.lengthAt(start);
    if (length > count) {
      // The start of an available range, as `find` gives it: what follows would come to the same.
      this.#states.fill(start, count, SlotState.allocated);
      this.#remove(start);
      this.#insert(start + count, length - count);
      return 0;
    }
    if (this.hasUnavailable(start, count)) return BUSY_SPAN;
    if (this.#splits(start, count) && !this.#mayAllocate()) return NO_NODE;
    this.#states.fill(start, count, SlotState.allocated);
    this.#cut(start, count);
    return 0;
  }

  /**
   * Makes a span available (range_tree_set), whatever of it was allocated or available before. It joins its available
   * neighbours.
   *
   * @returns 0; `BUSY_SPAN` when one of its slots is unavailable; `NO_NODE`.
   */
  setAvailable(start: number, count: number): number {
    const at = this.rangeAt(start);
    if (at >= 0 && at + this.lengthAt(at) >= start + count) return 0;
    if (this.hasUnavailable(start, count)) return BUSY_SPAN;
    // It is not all inside one range, so to clear it splits none.
    if (!this.#hasNeighbour(start, count) && !this.#mayAllocate()) return NO_NODE;
    this.#states.fill(start, count, SlotState.available);
    this.#cut(start, count);
    this.#join(start, count);
    return 0;
  }

  /**
   * Makes a span unavailable, as one range of its own.
   *
   * @returns 0; `BUSY_SPAN` when one of its slots is unavailable already; `NO_NODE`.
   */
  setUnavailable(start: number, count: number): number {
    if (this.hasUnavailable(start, count)) return BUSY_SPAN;
    if (this.#splits(start, count) && !this.#mayAllocate()) return NO_NODE;
    if (!this.#mayAllocate()) return NO_NODE;
    this.#states.fillUnavailable(start, count);
    this.#cut(start, count);
    this.#insert(start, -count);
    return 0;
  }

  /**
   * Makes an allocated span unavailable, as one range of its own. Linux holds its lock here instead: no record is allocated.
   */
  hold(start: number, count: number): void {
    this.#states.fillUnavailable(start, count);
    this.#insert(start, -count);
  }

  /**
   * Makes an unavailable range available. Without an available neighbour it keeps its place in the order of ranges.
   *
   * @returns 0; `WRONG_SPAN` when no unavailable range is exactly this span.
   */
  makeAvailable(start: number, count: number): number {
    if (this.lengthAt(start) !== -count) return WRONG_SPAN;
    this.#states.fill(start, count, SlotState.available);
    if (!this.#hasNeighbour(start, count)) {
      this.#lengths[start] = count;
      return 0;
    }
    this.#remove(start);
    this.#join(start, count);
    return 0;
  }

  /**
   * Makes an unavailable range allocated.
   *
   * @returns 0; `WRONG_SPAN` when no unavailable range is exactly this span.
   */
  removeUnavailable(start: number, count: number): number {
    if (this.lengthAt(start) !== -count) return WRONG_SPAN;
    this.#states.fill(start, count, SlotState.allocated);
    this.#remove(start);
    return 0;
  }

  /** Gives slots a state without a look at ranges: `rebuild` must follow. */
  mark(start: number, count: number, isAvailable: boolean): void {
    this.#states.fill(start, count, isAvailable ? SlotState.available : SlotState.allocated);
  }

  /**
   * Makes all ranges anew from the states of the slots, after a thread died inside a call. Ranges of equal length are
   * then in the order of their addresses, as if the highest were the newest: the order in which they came to be died with the thread.
   */
  rebuild(): void {
    this.forget();
    this.#lengths.fill(0);
    this.#startWords.fill(0);
    for (let slot = 0; slot < this.count; ) {
      const first = this.#states.of(slot);
      const goesOn = first === SlotState.unavailable ? SlotState.unavailableRest : first;
      let end = slot + 1;
      while (end < this.count && this.#states.of(end) === goesOn) end++;
      if (first === SlotState.available) this.#insert(slot, end - slot);
      else if (first === SlotState.unavailable) this.#insert(slot, slot - end);
      slot = end;
    }
  }

  /** Where ranges and states of slots do not agree, each in a sentence. It looks at every slot. */
  check(): readonly string[] {
    const texts: string[] = [];
    const expect = (slot: number, length: number): void => {
      const found = this.lengthAt(slot);
      if (found !== length && texts.length < MOST_TEXTS)
        texts.push(`slot ${slot} begins a range of ${found} slots, and the states say ${length}`);
    };
    for (let slot = 0; slot < this.count; ) {
      const first = this.#states.of(slot);
      const goesOn = first === SlotState.unavailable ? SlotState.unavailableRest : first;
      let end = slot + 1;
      while (end < this.count && this.#states.of(end) === goesOn) end++;
      const isRange = first === SlotState.available || first === SlotState.unavailable;
      expect(slot, isRange ? (first === SlotState.available ? end - slot : slot - end) : 0);
      if (isRange !== (this.nextRange(slot) === slot)) texts.push(`slot ${slot} is not known as it is`);
      for (let inner = slot + 1; inner < end; inner++) expect(inner, 0);
      slot = end;
    }
    return texts;
  }

  /** The first aligned slot of an available range from which on it has `count` slots; -1 for none. */
  protected alignedIn(start: number, count: number, align: number, offset: number): number {
    const first = Math.ceil((start + offset) / align) * align - offset;
    return first + count <= start + this.lengthAt(start) ? first : -1;
  }

  /** The first slot of the range that holds a slot; -1 for none. */
  protected rangeAt(slot: number): number {
    const at = this.#starts.previous(slot);
    return at >= 0 && at + Math.abs(this.lengthAt(at)) > slot ? at : -1;
  }

  /** The first slot of the lowest range that has a slot of a span; -1 for none. */
  firstRange(start: number, end: number): number {
    const at = this.rangeAt(start);
    if (at >= 0) return at;
    const next = this.#starts.next(start);
    return next < end ? next : -1;
  }

  /** True when a slot of a span is unavailable. */
  hasUnavailable(start: number, count: number): boolean {
    const end = start + count;
    let at = this.firstRange(start, end);
    while (at >= 0 && at < end) {
      const length = this.lengthAt(at);
      if (length < 0) return true;
      const next = at + length;
      at = next < end ? this.#starts.next(next) : -1;
    }
    return false;
  }

  /** True when a span lies inside one range that goes on at both sides. */
  #splits(start: number, count: number): boolean {
    const at = this.rangeAt(start);
    return at >= 0 && at < start && at + Math.abs(this.lengthAt(at)) > start + count;
  }

  /** True when an available range touches a span. */
  #hasNeighbour(start: number, count: number): boolean {
    return this.#availableBefore(start) >= 0 || this.#availableFrom(start + count) >= 0;
  }

  /** The first slot of the available range that ends before a slot; -1 for none. */
  #availableBefore(slot: number): number {
    const at = slot === 0 ? -1 : this.rangeAt(slot - 1);
    return at >= 0 && this.lengthAt(at) > 0 ? at : -1;
  }

  /** The first slot of the available range that holds a slot; -1 for none. */
  #availableFrom(slot: number): number {
    const at = slot >= this.count ? -1 : this.rangeAt(slot);
    return at >= 0 && this.lengthAt(at) > 0 ? at : -1;
  }

  /** Cuts a span out of the available ranges. A range that is trimmed is inserted anew, so it becomes the newest. */
  #cut(start: number, count: number): void {
    const end = start + count;
    for (let at = this.firstRange(start, end); at >= 0; at = this.firstRange(start, end)) {
      const last = at + this.lengthAt(at);
      this.#remove(at);
      if (at < start) this.#insert(at, start - at);
      if (last > end) this.#insert(end, last - end);
      if (last >= end) return;
    }
  }

  /** Inserts an available span, joined with its available neighbours. */
  #join(start: number, count: number): void {
    const before = this.#availableBefore(start);
    const after = this.#availableFrom(start + count);
    let end = start + count;
    if (before >= 0) this.#remove(before);
    if (after >= 0) {
      end = after + this.lengthAt(after);
      this.#remove(after);
    }
    const first = before >= 0 ? before : start;
    this.#insert(first, end - first);
  }

  /** @param length - negative for an unavailable range. */
  #insert(start: number, length: number): void {
    this.#lengths[start] = length;
    this.#starts.add(start);
    this.link(start, Math.abs(length));
  }

  #remove(start: number): void {
    const length = Math.abs(this.lengthAt(start));
    this.unlink(start, length);
    this.#starts.remove(start);
    this.#lengths[start] = 0;
  }
}

/** Divides the words of an allocator into its parts. */
export function partsOf(words: Int32Array, count: number): Parts {
  const lengths = SlotStates.wordsFor(count);
  const starts = lengths + count;
  const rest = starts + BitTree.wordsFor(count);
  return {
    states: words.subarray(0, lengths),
    lengths: words.subarray(lengths, starts),
    starts: words.subarray(starts, rest),
    rest: words.subarray(rest),
  };
}
