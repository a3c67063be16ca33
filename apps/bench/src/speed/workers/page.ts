import { decimal } from '@vmarea/cli';
import { bars } from '../../html/charts.js';
import { html } from '../../html/markup.js';
import { htmlPage } from '../../html/page.js';
import { htmlTable } from '../../html/table.js';
import { COLUMNS, factsOf, LEGEND } from './report.js';
import type { WorkersResult } from './result.js';

/** The result as a page: how each work scales, and a table of all rows. */
export function workersPage(result: WorkersResult): string {
  const { rows, workers } = result;
  const works = [...new Set(rows.map(({ work }) => work))];
  return htmlPage({
    title: `How ${workers} workers scale over one address space`,
    notes: [...factsOf(result), ...result.warnings],
    sections: [
      {
        title: 'Scaling',
        body: works.map((work) =>
          bars(
            `${work}: how many times as many pages all workers do in the same time as one; ${workers} is the most`,
            ['scaling'],
            rows
              .filter((row) => row.work === work)
              .map(({ configuration, scaling }) => ({
                label: configuration,
                values: [scaling],
                text: decimal(scaling, 2),
              })),
          ),
        ),
      },
      {
        title: 'All rows',
        body: [
          htmlTable('Every work in every format', COLUMNS, rows),
          html`<ul class="key">${LEGEND.map(([what, text]) => html`<li><b>${what}</b>: ${text}</li>`)}</ul>`,
        ],
      },
    ],
    data: result,
  });
}
