import { decimal } from '@vmarea/cli';
import type { AccessRow } from '@vmarea/compare';

/** The most charts of a report. */
export const MOST_CHARTS = 4;

/** A curve, and the rows that have it. */
interface Chart {
  readonly names: string[];
  /** Walks for each thousand accesses, from one moment to the next. */
  readonly series: readonly number[];
}

/**
 * One chart for all rows with the same curve, and how many curves are left out.
 *
 * @param most - the most charts.
 */
export function chartsOf(
  rows: readonly AccessRow[],
  most: number = MOST_CHARTS,
): { readonly charts: Chart[]; readonly left: number } {
  const all = new Map<string, Chart>();
  for (const row of rows) {
    const series = seriesOf(row);
    if (series.length === 0) continue;
    const looks = series.map((value) => decimal(value, 2)).join(' ');
    const chart = all.get(looks) ?? { names: [], series: [...series] };
    chart.names.push(`${row.configuration}, ${row.leaves}, ${row.preset}`);
    all.set(looks, chart);
  }
  const charts = [...all.values()];
  return { charts: charts.slice(0, most), left: Math.max(0, charts.length - most) };
}

function seriesOf({ moments }: AccessRow): readonly number[] {
  let accesses = 0;
  let walks = 0;
  return moments.map((moment) => {
    const more = moment.accesses - accesses;
    const rate = more === 0 ? 0 : (1000 * (moment.walks - walks)) / more;
    accesses = moment.accesses;
    walks = moment.walks;
    return rate;
  });
}
