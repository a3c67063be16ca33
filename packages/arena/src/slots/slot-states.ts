/** What a slot is: two bits. */
export const SlotState = {
  /** Allocated, or reserved: no call of the allocator may give it out. */
  allocated: 0,
  /** Free. */
  available: 1,
  /** The first of a range that is being freed, or that is being mapped for a user. */
  unavailable: 2,
  /** A further slot of such a range. */
  unavailableRest: 3,
} as const;

/** One of `SlotState`. */
export type SlotStateValue = (typeof SlotState)[keyof typeof SlotState];

/** The states of all slots, 16 in a word. They are the truth: everything else of this room follows from them. */
export class SlotStates {
  readonly #words: Int32Array;

  /** Words that `count` slots need. */
  static wordsFor(count: number): number {
    return Math.ceil(count / 16);
  }

  /** @param words - all 0: all slots are allocated. */
  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** The state of a slot. */
  of(slot: number): SlotStateValue {
    return (((this.#words[slot >>> 4] as number) >>> ((slot & 15) * 2)) & 3) as SlotStateValue;
  }

  /** Gives one state to a range of slots. */
  fill(start: number, count: number, state: SlotStateValue): void {
    const pattern = state * 0x55555555;
    const end = start + count;
    const first = start >>> 4;
    const last = (end - 1) >>> 4;
    const head = -1 << ((start & 15) * 2);
    const tail = -1 >>> (30 - ((end - 1) & 15) * 2);
    if (first === last) {
      this.#merge(first, head & tail, pattern);
      return;
    }
    this.#merge(first, head, pattern);
    this.#words.fill(pattern, first + 1, last);
    this.#merge(last, tail, pattern);
  }

  /** Makes a range unavailable. Its first slot is marked, so that a neighbour stays another range. */
  fillUnavailable(start: number, count: number): void {
    this.fill(start, count, SlotState.unavailableRest);
    this.fill(start, 1, SlotState.unavailable);
  }

  #merge(word: number, mask: number, pattern: number): void {
    this.#words[word] = ((this.#words[word] as number) & ~mask) | (pattern & mask);
  }
}
