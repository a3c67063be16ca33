import { max, median, medianAbsoluteDeviation, min } from 'simple-statistics';
import type { Measured } from './job.js';

/** A cell: nanoseconds per page, leaf, translation or operation. */
export interface Timing {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** The median absolute deviation of all rounds. */
  readonly mad: number;
  /** The standard error of the median, see `standardError`. */
  readonly standardError: number;
  /** The rounds of all passes. */
  readonly samples: number;
  /** What ran: WebAssembly loops, array loops, or C. */
  readonly loops: 'wasm' | 'array' | 'c';
}

/** MAD × this is the standard deviation of a normal distribution. */
const MAD_TO_SIGMA = 1.4826;
/** The standard error of a median is that of the mean × this. */
const MEDIAN_FACTOR = 1.2533;

/**
 * The standard error of the median of several passes. It comes from median absolute deviations, so one slow round does not
 * change it.
 *
 * It is the larger of two: that of all rounds, and that of the passes' medians. Rounds of one process share the compiled
 * code and the layout of its pages, which differ between processes.
 *
 * @param passes - the rounds of each pass.
 */
export function standardError(passes: readonly (readonly number[])[]): number {
  const of = (values: readonly number[]): number =>
    values.length < 2
      ? 0
      : (MEDIAN_FACTOR * MAD_TO_SIGMA * medianAbsoluteDeviation([...values])) / Math.sqrt(values.length);
  return Math.max(of(passes.flat()), of(passes.map((rounds) => median([...rounds]))));
}

/** Summarizes the passes of one column. */
export function timingOf(passes: readonly Measured[]): Timing {
  const perUnit = passes.map(({ ns, units }) => ns.map((one) => one / units));
  const all = perUnit.flat();
  return {
    median: round(median(all)),
    min: round(min(all)),
    max: round(max(all)),
    mad: round(medianAbsoluteDeviation(all)),
    standardError: round(standardError(perUnit)),
    samples: all.length,
    loops: (passes[0] as Measured).loops,
  };
}

/** Rounds to four decimals, since C maps a page in a fifth of a nanosecond. */
function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
