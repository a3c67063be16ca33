import { decimal } from '@vmarea/cli';
import { bars } from '../html/charts.js';
import { html, type Markup } from '../html/markup.js';
import { htmlPage } from '../html/page.js';
import { htmlTable } from '../html/table.js';
import { KEYS } from './columns.js';
import { columnsOf, descriptions, facts, notes, skipped } from './report.js';
import type { SpeedResult, SpeedRow } from './result.js';

/** The result as a page: a chart for each workload, and a table of all rows. */
export function speedPage(result: SpeedResult): string {
  const { columns } = columnsOf(result);
  const format = { head: 'format', align: 'left', cell: (row: SpeedRow) => row.configuration } as const;
  const charts = result.quick ? [] : descriptions(result).flatMap(([id, text]) => chartsOf(result, id, text));
  return htmlPage({
    title: 'The same calls in every format and in C',
    notes: [...facts(result), ...skipped(result), ...notes(result)],
    sections: [
      ...(charts.length === 0 ? [] : [{ title: 'Times', body: charts }]),
      {
        title: 'All rows',
        body: [
          htmlTable('Every workload in every format', [format, ...KEYS, ...columns.flat()], result.rows),
          html`<ul class="key">${descriptions(result).map(([id, text]) => html`<li><b>${id}</b>: ${text}</li>`)}</ul>`,
        ],
      },
    ],
    data: result,
  });
}

/** A bar for each format and each kind of loops of one workload. */
function chartsOf({ rows }: SpeedResult, id: string, text: string): Markup[] {
  const own = rows.filter(({ workload }) => workload === id);
  const all = own.flatMap((row) =>
    (['wasm', 'array', 'c'] as const).flatMap((column, at) => {
      const median = row[column]?.median;
      if (median === undefined) return [];
      return [
        {
          label: `${row.configuration} ${column === 'c' ? 'C' : column}`,
          values: [0, 1, 2].map((part) => (part === at ? median : 0)),
          text: decimal(median, 2),
        },
      ];
    }),
  );
  if (all.length === 0) return [];
  return [bars(`${id}: ns per ${own[0]?.unit}. ${text}`, ['wasm loops', 'array loops', 'C'], all)];
}
