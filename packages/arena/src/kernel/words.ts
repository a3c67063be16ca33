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
  /** How often translations of the window were flushed. */
  flushes: 5,
  /** Spans that wait for the worker. */
  spans: 6,
} as const;

const HEADER_WORDS = 16;
/** Words of a span: first byte, pages, and 1 when only its slots must be made available. */
export const SPAN_WORDS = 3;
/** The most spans that wait. When so many do, there is no memory for one more. */
export const MOST_SPANS = 4096;

/** The state of an arena in words: everything that its page tables do not say. */
export interface ArenaWords {
  readonly header: Int32Array;
  readonly spans: Int32Array;
  readonly slots: Int32Array;
}

/** A new state: no slot is available. */
export function makeWords(rules: ReleaseRules, maxEntries: number): ArenaWords {
  const slotWords = (rules.slots === 'best fit' ? BestFit : LowestFirst).wordsFor(maxEntries);
  const spans = HEADER_WORDS + SPAN_WORDS * MOST_SPANS;
  const words = new Int32Array(spans + slotWords);
  return {
    header: words.subarray(0, HEADER_WORDS),
    spans: words.subarray(HEADER_WORDS, spans),
    slots: words.subarray(spans),
  };
}
