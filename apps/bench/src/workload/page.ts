import { count } from '@vmarea/cli';
import { printable } from '@vmarea/core';
import { bars } from '../html/charts.js';
import { htmlPage } from '../html/page.js';
import { htmlTable } from '../html/table.js';
import { machineLine } from '../machine.js';
import { byCase, parametersLine, proof, WORKLOAD_COLUMNS } from './report.js';
import type { WorkloadResult } from './result.js';

/** The result as a page: a chart for each case, and a table of all rows. */
export function workloadPage(result: WorkloadResult): string {
  const rows = byCase(result.rows);
  const names = [...new Set(rows.map((row) => row.case))];
  return htmlPage({
    title: 'The cases of lib/test_vmalloc.c in each format',
    notes: [
      parametersLine(result),
      `Times are of ${machineLine(result.machine)}. Counts are the same on every machine.`,
      proof(result),
      ...result.warnings.map((warning) => `Warning: ${printable(warning)}`),
    ],
    sections: [
      {
        title: 'Time of a repetition',
        body: names.map((name) =>
          bars(
            `${name}: mean microseconds`,
            ['microseconds'],
            rows
              .filter((row) => row.case === name)
              .map(({ configuration, avgUsec }) => ({
                label: configuration,
                values: [avgUsec],
                text: count(avgUsec),
              })),
          ),
        ),
      },
      { title: 'All rows', body: [htmlTable('Every case in every format', WORKLOAD_COLUMNS, rows)] },
    ],
    data: result,
  });
}
