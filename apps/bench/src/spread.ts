import { max, median, medianAbsoluteDeviation, min } from 'simple-statistics';

/** Several measurements of one thing. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Median absolute deviation: half of the measurements lie this near to the median. */
  readonly mad: number;
}

/** Sums measurements up; `null` when there are none. */
export function spread(samples: readonly number[]): Spread | null {
  if (samples.length === 0) return null;
  return {
    median: round(median(samples)),
    min: round(min(samples)),
    max: round(max(samples)),
    mad: round(medianAbsoluteDeviation(samples)),
  };
}

/** Three decimals: a picosecond when the unit is nanoseconds. */
function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
