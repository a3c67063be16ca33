import { max, median, medianAbsoluteDeviation, min } from 'simple-statistics';
import type { Measured } from './job.js';

/** One column of a row: nanoseconds per page, leaf, translation or operation. */
export interface Timing {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Median absolute deviation of all rounds. */
  readonly mad: number;
  /** How far the median may be off by chance: one standard error, from the MADs; see `standardError`. */
  readonly standardError: number;
  /** Rounds, over all passes. */
  readonly samples: number;
  /** What ran: loops in WebAssembly, over typed arrays, or C. */
  readonly loops: 'wasm' | 'array' | 'c';
}

/** The MAD of a normal distribution times this is its standard deviation. */
const MAD_TO_SIGMA = 1.4826;
/** A median of n values has this times the standard error of their mean. */
const MEDIAN_FACTOR = 1.2533;

/**
 * Standard error of the median of several passes, from median absolute deviations, which a single slow round does not
 * move.
 *
 * It is the larger of two: what the spread of all rounds says, and what the spread of the passes' medians says. The second
 * is there because rounds of one process are alike in what differs between processes: code as compiled, pages as laid out.
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

/** Sums up the passes of one variant. */
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

/** Four decimals: a ten-thousandth of a nanosecond, since C maps a page in a fifth of one. */
function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
