import { decimal } from '@vmarea/cli';
import { bars, curves } from '../html/charts.js';
import { columnar } from '../html/columnar.js';
import { htmlPage } from '../html/page.js';
import { COLOURS } from '../html/style.js';
import { htmlTable } from '../html/table.js';
import { chartsOf } from './charts.js';
import { backingLine, notesOf, perThousand, SIMULATE_COLUMNS, traceLine } from './report.js';
import type { SimulateResult } from './result.js';

/** The result as a page: walks of each row, walks over the trace, and a table of all rows. */
export function simulatePage(result: SimulateResult): string {
  const { rows, trace, options } = result;
  const curve = (series: readonly number[]) =>
    series.map((y, i) => ({ x: ((i + 1) * (rows[0]?.moments.at(-1)?.accesses ?? 0)) / series.length, y }));
  const { charts, left } = chartsOf(rows, COLOURS);
  const more = left === 0 ? '' : ` ${left} more curves are left out; the data has them.`;
  return htmlPage({
    title: `What the accesses of ${trace.file} cost in TLBs and page tables`,
    notes: [
      traceLine(result),
      backingLine(result),
      ...notesOf(rows, options.walkCaches),
      ...result.warnings.map((one) => `Warning: ${one}`),
    ],
    sections: [
      {
        title: 'Walks',
        body: [
          bars(
            'walks for each thousand accesses',
            ['walks'],
            rows.map((row) => {
              const walks = perThousand(row, row.walks);
              return {
                label: `${row.configuration}, ${row.leaves}, ${row.preset}`,
                values: [walks],
                text: decimal(walks, 3),
              };
            }),
          ),
          curves(
            `Walks for each thousand accesses, over the trace. Rows with the same curve are one.${more}`,
            'accesses',
            charts.map(({ names, series }) => ({
              name: names.length === 1 ? (names[0] as string) : `${names[0]} +${names.length - 1}`,
              points: curve(series),
            })),
            (value) => decimal(value, 2),
          ),
        ],
      },
      { title: 'All rows', body: [htmlTable('Every format on every processor', SIMULATE_COLUMNS, rows)] },
    ],
    data: { ...result, rows: rows.map((row) => ({ ...row, moments: columnar(row.moments) })) },
  });
}
