import type { EntryTemplate } from '../entry-template.js';
import type { Plan } from '../format/plan.js';

/** The frames of one call. A new object for each call: loops may keep a copy of its elements as long as they see it. */
export interface FrameSource {
  /** Frames below 2^32; `null` for another shape. */
  readonly narrow: Uint32Array | null;
  /** Frames of any size; `null` for another shape. */
  readonly wide: Float64Array | null;
  /** First frame of a linear range, where both arrays are `null`. */
  readonly start: number;
}

/** Walks single addresses by one plan. */
export interface EntryFinder {
  /**
   * The word index of the last level's entry for an address of two words, whatever it holds; -1 where the walk does not come
   * so far.
   */
  entryOf(vaHi: number, vaLo: number): number;
  /** True when the host has refused what it takes: it will find nothing. */
  readonly isLost: boolean;
}

/** What `writeFrames` answers when all was written. */
export const WRITTEN = -1;

/**
 * The inner loops, over runs of 64-bit entries in the words of one bank.
 *
 * `at` is the index in `bank.words` of the first entry's low word: even, and, with all that a call touches, inside the
 * bank. `count` is a number of entries, 1 or more. Words are signed 32-bit integers. Nothing of that is checked, and
 * nothing is allocated: these are the loops, not the face.
 *
 * There are two implementations with equal results: `ArrayLoops` over typed arrays, and `WasmLoops` over the
 * WebAssembly.Memory that the bank lies in.
 */
export interface RunLoops {
  /** Which implementation: for people and benchmarks. */
  readonly kind: 'array' | 'wasm';

  /** Walks that are faster than those in JavaScript; `null` where there are none. */
  readonly walks: WalkLoops | null;

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

  /** Sets a run to 0 without a look at what it holds. */
  erase(at: number, count: number): void;

  /** Sets a run to 0; returns how many entries were not. */
  clear(at: number, count: number): number;

  /** Index of the first entry that is not 0; -1 when all are. */
  firstLive(at: number, count: number): number;

  /** Index of the last entry that is not 0; -1 when all are. */
  lastLive(at: number, count: number): number;

  /** Number of entries that are not 0. */
  countLive(at: number, count: number): number;

  /** Number of entries, from the first on, that are 0 or have `value` under the mask. */
  matching(
    at: number,
    count: number,
    maskLo: number,
    maskHi: number,
    valueLo: number,
    valueHi: number,
  ): number;

  /** Gives every entry that is not 0 the value under the mask; its other bits stay. Returns how many such entries there are. */
  change(at: number, count: number, maskLo: number, maskHi: number, valueLo: number, valueHi: number): number;

  /** Copies a run of entries to another place of the bank; they may overlap. */
  copy(to: number, from: number, count: number): void;

  /** Index of the first entry in which two runs differ; -1 when they are equal. */
  firstDifference(a: number, b: number, count: number): number;

  /** Reads one entry, on shared memory as one atomic: returns its low word, and `high` is its high word. */
  load64(at: number): number;

  /** High word of the entry that `load64` has read last. */
  readonly high: number;

  /** Writes one entry, on shared memory as one atomic. */
  store64(at: number, lo: number, hi: number): void;

  /** Writes one entry when it still is what is expected, on shared memory as one atomic; returns whether it was. */
  cas64(at: number, expectedLo: number, expectedHi: number, lo: number, hi: number): boolean;
}

/** What a walk plan needs to know of a bank. */
export interface BankSpan {
  /** Physical address of its first byte. */
  readonly base: bigint;
  /** Length in bytes. */
  readonly bytes: number;
  /** The byte at `base + n` is byte `n` of its words. */
  readonly linear: boolean;
}

/** Walks by the tables of one bank, faster than JavaScript does. */
export interface WalkLoops {
  /**
   * A root and its format as the numbers that walks go by, laid out as `walk-layout.ts` says; `null` where the bank, or the format,
   * is none that numbers can tell.
   *
   * @param rootWord - index of the root's first word in the bank.
   */
  planOf(plan: Plan, bank: BankSpan, rootWord: number): Int32Array | null;

  /**
   * Walks many addresses.
   *
   * @param plan - from `planOf`.
   * @param addresses - two words for each address, low word first.
   * @param frames - takes the frame in base pages; -1 where there is no translation; `UNKNOWN_FRAME` where the plan cannot tell.
   * @param leafShifts - takes log2 bytes of the leaf, 0 where there is none; or `null`.
   * @returns false, and nothing is written, where the host has refused, or so few addresses are not worth a call.
   */
  walkMany(
    plan: Int32Array,
    addresses: Uint32Array,
    frames: Float64Array,
    leafShifts: Uint8Array | null,
  ): boolean;

  /** What walks single addresses by a plan; `null` where nothing does, or not by this plan. */
  finder(plan: Int32Array): EntryFinder | null;
}

/** The frame of an address of which a plan cannot tell. */
export const UNKNOWN_FRAME = -2;
