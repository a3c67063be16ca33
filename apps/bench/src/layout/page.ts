import { count } from '@vmarea/cli';
import { type LayoutRow as ComparedRow, pageSizeText } from '@vmarea/compare';
import { printable } from '@vmarea/core';
import { bars } from '../html/charts.js';
import { html } from '../html/markup.js';
import { htmlPage } from '../html/page.js';
import { htmlTable } from '../html/table.js';
import { machineLine } from '../machine.js';
import { callerColumns, callerLines } from './callers.js';
import { areaMap } from './map.js';
import { costOf, nameOf, policyOf, ranking } from './ranking.js';
import { inputLine, LAYOUT_COLUMNS, proof } from './report.js';
import type { LayoutResult } from './result.js';

/** Most areas that the page draws, and most callers and areas whose figures it has: it stays below 300 kB. */
const DRAWN = 200;
const LISTED = 150;

/** The result as a page. */
export function layoutPage(result: LayoutResult, compared: readonly ComparedRow[]): string {
  const ranks = ranking(compared);
  const [least, most] = [ranks.at(0)?.rows[0], ranks.at(-1)?.rows[0]];
  const byName = new Map(result.rows.map((row) => [`${row.configuration} ${row.leafPolicy}`, row]));
  const sections = [
    {
      title: 'The cheapest first',
      body: [
        bars(
          'KiB of page tables, and of memory that nobody asked for, since sizes are rounded up to pages. Formats that cost the same are one bar.',
          ['page tables', 'lost memory'],
          ranks.map((rank) => ({
            label: `${nameOf(rank)} ${policyOf(rank)}`,
            values: [rank.rows[0]?.tables.bytes ?? 0, rank.rows[0]?.rounding.bytes ?? 0],
            text: count(rank.bytes / 1024),
          })),
        ),
        html`<p>${pageSizeText({ input: result.input, rows: compared })}</p>`,
      ],
    },
  ];
  if (least !== undefined && most !== undefined && most.callers.length > 0) {
    const title = `KiB of tables and lost memory. least: ${least.configuration}, ${least.leafPolicy} leaves; most: ${most.configuration}, ${most.leafPolicy} leaves`;
    sections.push(
      {
        title: 'The address space',
        body: [
          html`<figure class="wide" tabindex="0" role="group" aria-label="The address space">${areaMap(least, DRAWN)}</figure>`,
        ],
      },
      {
        title: 'Who costs most',
        body: [htmlTable(title, callerColumns(most), callerLines(least, most).slice(0, LISTED))],
      },
    );
  }
  sections.push({
    title: 'All formats',
    body: [
      htmlTable(
        'All counts and times',
        LAYOUT_COLUMNS,
        [...result.rows].sort((a, b) => costOf(a) - costOf(b)),
      ),
    ],
  });
  const data = {
    ...result,
    rows: compared.map((row) => {
      const { map, walk } = byName.get(`${row.configuration} ${row.leafPolicy}`) ?? {
        map: null,
        walk: row.walk,
      };
      const { places: _places, callers: _callers, times: _times, ...counts } = row;
      return { ...counts, map, walk };
    }),
    areas: (least?.places ?? []).slice(0, LISTED),
  };
  return htmlPage({
    title: `What the vm areas of ${printable(result.input.title)} cost in each format`,
    notes: [
      inputLine(result.input),
      `Times are of ${machineLine(result.machine)}. Counts are the same on every machine.`,
      proof(result),
      ...result.warnings.map((warning) => `Warning: ${printable(warning)}`),
    ],
    sections,
    data,
  });
}
