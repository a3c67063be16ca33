import { max, median, medianAbsoluteDeviation, min } from 'simple-statistics';

/** How measurements of one thing are spread. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Median absolute deviation: half of the measurements are this close to the median. */
  readonly mad: number;
}

/** Summarizes measurements; `null` when there are none. */
export function spread(samples: readonly number[]): Spread | null {
  if (samples.length === 0) return null;
  return {
    median: round(median(samples)),
    min: round(min(samples)),
    max: round(max(samples)),
    mad: round(medianAbsoluteDeviation(samples)),
  };
}

/** Rounds to three decimals: to a picosecond where the unit is nanoseconds. */
function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
