import { decimal } from '@vmarea/cli';
import { groupedBars } from '../html/charts.js';
import { html, type Markup } from '../html/markup.js';
import { htmlPage } from '../html/page.js';
import { rounded } from '../html/rounded.js';
import { htmlTable } from '../html/table.js';
import { KEYS } from './columns.js';
import { columnsOf, descriptions, facts, notes, skipped } from './report.js';
import type { SpeedResult, SpeedRow } from './result.js';

/** The result as a page: a chart for each workload, and a table of all rows. */
export function speedPage(result: SpeedResult): string {
  const { columns } = columnsOf(result);
  const format = { head: 'format', align: 'left', cell: (row: SpeedRow) => row.configuration } as const;
  const charts = descriptions(result).flatMap(([id, text]) => chartsOf(result, id, text));
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
    data: rounded(result),
  });
}

/** A group of bars for each format of one workload: one for each kind of loops, and one for the C. */
function chartsOf({ rows }: SpeedResult, id: string, text: string): Markup[] {
  const own = rows.filter(({ workload }) => workload === id);
  const all = own.map((row) => ({
    label: row.configuration,
    bars: [row.wasm, row.array, row.c].map((timing) =>
      timing === null ? null : { value: timing.median, text: decimal(timing.median, 2) },
    ),
  }));
  if (all.every(({ bars }) => bars.every((bar) => bar === null))) return [];
  return [groupedBars(`${id}: ns per ${own[0]?.unit}. ${text}`, ['wasm loops', 'array loops', 'C'], all)];
}
