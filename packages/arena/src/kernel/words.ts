import { VmError } from '@vmarea/core';
import { BestFit } from '../slots/best-fit.js';
import { LowestFirst } from '../slots/lowest-first.js';
import type { ReleaseRules } from './releases.js';

/** The first words of an arena's state. */
export const Word = {
  /** Pages that are mapped in the window, without the scratch page. */
  pages: 0,
  /** Entries that hold the scratch page. */
  scratched: 1,
  /** Upper and lower half of the first user address; both 0 while it is not known. */
  userHi: 2,
  userLo: 3,
  /** Pages of the user range; 0 while it is not known. */
  userPages: 4,
  /** Spans that wait for the worker. */
  spans: 5,
  /** 1 once the arena was destroyed. */
  destroyed: 6,
  /** One more than the scratch page's place in the allocator; 0 for none. */
  scratch: 7,
  /** Regions that map the arena, where several threads use it. */
  regions: 8,
  /** The lock of the slots, and the lock of the regions: two words each. */
  lock: 10,
  users: 12,
  /** What the owner of the lock is doing: a `Step`, the span, and the spans that wait afterwards. 0 for nothing. */
  work: 14,
  workSlot: 15,
  workPages: 16,
  workSpans: 17,
  /** Always 0: who waits a moment waits here. */
  moment: 18,
} as const;

const HEADER_WORDS = 32;
/** Words of a span: first byte, pages, and 1 when only its slots must be made available. */
export const SPAN_WORDS = 3;
/** The most spans that wait. When so many do, there is no memory for one more. */
export const MOST_SPANS = 4096;
/** The most regions that map an arena of several threads. */
export const MOST_REGIONS = 4096;

/** The state of an arena in words: everything that its page tables do not say. */
export interface ArenaWords {
  readonly buffer: ArrayBufferLike;
  readonly header: Int32Array;
  readonly spans: Int32Array;
  readonly slots: Int32Array;
  /** Where several threads use the arena, else empty: who holds the unavailable range that begins at a slot, and why. */
  readonly holders: Int32Array;
  /** The same: the frame that a call puts into a slot or takes out of it, as one more than its place in the allocator; 0 for none. */
  readonly frames: Int32Array;
  /** The same: the number of the process of each region. */
  readonly regions: Int32Array;
}

/**
 * A new state: no slot is available.
 *
 * @param isShared - several threads use it.
 * @throws VmError `ENOMEM` when the host has no memory for it.
 */
export function makeWords(rules: ReleaseRules, maxEntries: number, isShared: boolean): ArenaWords {
  const bytes = 4 * partsOf(rules, maxEntries, isShared).end;
  try {
    return wordsOver(isShared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes), rules, maxEntries);
  } catch (cause) {
    throw new VmError('ENOMEM', `the host has no ${bytes} bytes for the state of an arena`, { cause });
  }
}

/** The state in a buffer. */
export function wordsOver(buffer: ArrayBufferLike, rules: ReleaseRules, maxEntries: number): ArenaWords {
  const words = new Int32Array(buffer);
  const isShared = !(buffer instanceof ArrayBuffer);
  const { slots, holders, frames, regions, end } = partsOf(rules, maxEntries, isShared);
  return {
    buffer,
    header: words.subarray(0, HEADER_WORDS),
    spans: words.subarray(HEADER_WORDS, slots),
    slots: words.subarray(slots, holders),
    holders: words.subarray(holders, frames),
    frames: words.subarray(frames, regions),
    regions: words.subarray(regions, end),
  };
}

/** Where the parts begin. */
function partsOf(
  rules: ReleaseRules,
  maxEntries: number,
  isShared: boolean,
): { slots: number; holders: number; frames: number; regions: number; end: number } {
  const slots = HEADER_WORDS + SPAN_WORDS * MOST_SPANS;
  const holders = slots + (rules.slots === 'best fit' ? BestFit : LowestFirst).wordsFor(maxEntries);
  const frames = holders + (isShared ? maxEntries : 0);
  const regions = frames + (isShared ? maxEntries : 0);
  return { slots, holders, frames, regions, end: regions + (isShared ? MOST_REGIONS : 0) };
}
