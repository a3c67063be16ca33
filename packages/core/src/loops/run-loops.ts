import type { EntryTemplate } from '../entry-template.js';
import type { Plan } from '../format/plan.js';

/**
 * The frames of one call. Each call makes a new object: loops may keep a copy of its elements while they see
 * the same one.
 */
export interface FrameSource {
  /** Frames below 2^32; `null` for another form. */
  readonly narrow: Uint32Array | null;
  /** Frames of any size; `null` for another form. */
  readonly wide: Float64Array | null;
  /** First frame of a linear range, when both arrays are `null`. */
  readonly start: number;
}

/** Walks single addresses by one plan. */
export interface EntryFinder {
  /**
   * The word index of the last level's entry for an address of two words, whatever it holds. -1 when the
   * walk ends before it.
   */
  entryOf(vaHi: number, vaLo: number): number;
  /** True when the host has refused what the finder needs: it will find nothing. */
  readonly isLost: boolean;
}

/** Reads single entries, each whole. `at` is the index of the entry's low word. */
export interface EntryReader {
  /** Reads one entry, on shared memory as one atomic. Returns its low word; `high` is its high word. */
  load64(at: number): number;

  /** High word of the entry that `load64` read last. */
  readonly high: number;
}

/** What `writeFrames` answers when all was written. */
export const WRITTEN = -1;

/**
 * The inner loops, over runs of 64-bit entries in the words of one bank.
 *
 * `at` is the index in `bank.words` of the first entry's low word. It is even, and everything that a call
 * touches is inside the bank. `count` is a number of entries, 1 or more. Words are signed 32-bit integers.
 * The loops check none of this, and allocate nothing.
 *
 * There are two implementations with equal results: `ArrayLoops` over typed arrays, and `WasmLoops` over the
 * WebAssembly.Memory of the bank.
 */
export interface RunLoops extends EntryReader {
  /** Which implementation it is, for people and benchmarks. */
  readonly kind: 'array' | 'wasm';

  /** Walks that are faster than those in JavaScript; `null` for none. */
  readonly walks: WalkLoops | null;

  /** Other threads may use the bytes. Each access is then one atomic, and the loops are `SharedRunLoops`. */
  readonly isShared: boolean;

  /**
   * Writes a run of leaves to scattered frames. It does not ask whether the slots are free: `firstLive` does.
   *
   * All frames are checked before anything is written.
   *
   * @param source - with one of its arrays.
   * @param from - index in that array of the first entry's frame.
   * @param template - the leaves without their frames.
   * @returns `WRITTEN`; or the index, counted from `from`, of the first frame that does not fit. Then nothing is written.
   */
  writeFrames(at: number, count: number, source: FrameSource, from: number, template: EntryTemplate): number;

  /**
   * Writes a run of leaves over adjacent frames. It does not ask whether the slots are free.
   *
   * @param pfn - frame of the first.
   * @param step - base pages from the frame of one leaf to the frame of the next.
   * @param template - the leaves without their frames. Frames are not checked against its limit.
   */
  writeLinear(at: number, count: number, pfn: number, step: number, template: EntryTemplate): void;

  /** Sets a run to 0 without a check of its contents. */
  erase(at: number, count: number): void;

  /** Sets a run to 0. Returns how many entries were not 0. */
  clear(at: number, count: number): number;

  /** Index of the first entry that is not 0; -1 when all are. */
  firstLive(at: number, count: number): number;

  /** Index of the last entry that is not 0; -1 when all are. */
  lastLive(at: number, count: number): number;

  /** Number of entries that are not 0. */
  countLive(at: number, count: number): number;

  /** Number of entries, from the first one on, that are 0 or have `value` under the mask. */
  matching(
    at: number,
    count: number,
    maskLo: number,
    maskHi: number,
    valueLo: number,
    valueHi: number,
  ): number;

  /**
   * Gives every entry that is not 0 the value under the mask. Its other bits stay. Returns the number of
   * such entries.
   */
  change(at: number, count: number, maskLo: number, maskHi: number, valueLo: number, valueHi: number): number;

  /** Copies entries out: two words for each, into an array from an index on. */
  get(at: number, count: number, into: Int32Array, from: number): void;

  /** Writes a run of entries from an array of words, from an index on. */
  put(at: number, words: Int32Array, from: number, count: number): void;

  /** Copies a run of entries to another place in the bank. The two may overlap. */
  copy(to: number, from: number, count: number): void;

  /** Index of the first entry in which two runs differ; -1 when they are equal. */
  firstDifference(a: number, b: number, count: number): number;

  /** Writes one entry, on shared memory as one atomic. */
  store64(at: number, lo: number, hi: number): void;

  /**
   * Writes one entry when it still has the expected value, on shared memory as one atomic. Returns whether
   * it did.
   */
  cas64(at: number, expectedLo: number, expectedHi: number, lo: number, hi: number): boolean;
}

/** The inner loops on shared memory, with those that several threads need at once. */
export interface SharedRunLoops extends RunLoops {
  readonly isShared: true;

  /**
   * Writes leaves as `writeFrames` does, but only into slots that are 0, by one compare-exchange each.
   *
   * @returns `WRITTEN`; the index of the first slot that was taken, and those before it are written; or
   *   `unfit(index)` of the first frame that does not fit, and nothing is written.
   */
  claimFrames(at: number, count: number, source: FrameSource, from: number, template: EntryTemplate): number;

  /** The same as `writeLinear`. Returns `WRITTEN`, or the index of the first slot that was taken. */
  claimLinear(at: number, count: number, pfn: number, step: number, template: EntryTemplate): number;

  /**
   * Sets a run to 0 by one exchange each, and keeps what was there: two words for each entry, in an array
   * from an index on. Returns how many entries were not 0.
   */
  take(at: number, count: number, into: Int32Array, from: number): number;
}

/** What `claimFrames` answers for a frame that does not fit; its own inverse. */
export function unfit(index: number): number {
  return -2 - index;
}

/** The words of a bank. They are read again for each call, since a WebAssembly.Memory may have grown. */
export interface EntryWords {
  readonly words: Int32Array;
}

/** What a walk plan needs to know of a bank. */
export interface BankSpan {
  /** Physical address of its first byte. */
  readonly base: bigint;
  /** Length in bytes. */
  readonly bytes: number;
  /** True when the byte at `base + n` is byte `n` of its words. */
  readonly linear: boolean;
}

/** Walks by the tables of one bank that are faster than those in JavaScript. */
export interface WalkLoops {
  /**
   * A root and its format as the numbers that walks use, in the layout of `walk-layout.ts`; `null` when the
   * bank or the format cannot be expressed so.
   *
   * @param rootWord - index of the root's first word in the bank.
   */
  planOf(plan: Plan, bank: BankSpan, rootWord: number): Int32Array | null;

  /**
   * Walks many addresses.
   *
   * @param plan - from `planOf`.
   * @param addresses - two words for each address, low word first.
   * @param frames - receives the frame in base pages; -1 where there is no translation; `UNKNOWN_FRAME`
   *   where the plan cannot tell.
   * @param leafShifts - receives log2 bytes of the leaf, 0 where there is none; or `null`.
   * @returns the number of addresses without a frame, or whose frame the plan cannot tell; -1, and nothing is
   *   written, when the host has refused, or when the addresses are too few to be worth a call.
   */
  walkMany(
    plan: Int32Array,
    addresses: Uint32Array,
    frames: Float64Array,
    leafShifts: Uint8Array | null,
  ): number;

  /** A finder that walks single addresses by a plan; `null` where there is none, or none for this plan. */
  finder(plan: Int32Array): EntryFinder | null;
}

/** The frame of an address for which a plan cannot tell. */
export const UNKNOWN_FRAME = -2;
