import { count, decimal, pageSizeName, plural } from '@vmarea/cli';
import { bars, curves } from '../html/charts.js';
import { columnar } from '../html/columnar.js';
import { html } from '../html/markup.js';
import { htmlPage, type Page } from '../html/page.js';
import { COLOURS } from '../html/style.js';
import { htmlTable } from '../html/table.js';
import { charts, FORMAT_COLUMNS, isSame, linesOf, REPLAY_COLUMNS } from './report.js';
import type { ReplayResult } from './result.js';

/** The result as a page: what was compared, and what the stream costs on other formats. */
export function replayPage(result: ReplayResult): string {
  const { formats, pageBytes, cpus, events } = result;
  const lines = linesOf(result);
  const sections: Page['sections'][number][] = [
    {
      title: verdict(result),
      body: [
        htmlTable('What was compared', REPLAY_COLUMNS, lines),
        html`${result.firstDifference.map((line) => html`<p>${line}</p>`)}`,
        html`${Object.entries(result.undetermined).map(([why, number]) => html`<p>Undetermined: ${plural(number, 'placement')}, ${why}.</p>`)}`,
      ],
    },
  ];
  if (formats.length > 0) {
    const all = [...charts(formats)];
    sections.push({
      title: 'The same stream on other formats',
      body: [
        bars(
          'KiB of page tables at the end',
          ['page tables'],
          formats.map(({ configuration, tableBytes }) => ({
            label: configuration,
            values: [tableBytes],
            text: count(tableBytes / 1024),
          })),
        ),
        curves(
          'Holes over the stream: the share of the used span without a live area, in percent. Formats with the same curve are one.',
          'events',
          all.slice(0, COLOURS).map(({ names, pageBytes: bytes, series }) => ({
            name: `${names[0]}${names.length === 1 ? '' : ` +${names.length - 1}`}, pages of ${pageSizeName(bytes)}`,
            points: series.map((y, i) => ({ x: formats[0]?.moments[i]?.events ?? i, y })),
          })),
          (value) => decimal(value, 1),
        ),
        htmlTable('What the stream costs there', FORMAT_COLUMNS, formats),
      ],
    });
  }
  return htmlPage({
    title: `Replay of every decision about the vmap areas of a real kernel: ${result.set}`,
    notes: [
      `Pages of ${pageSizeName(pageBytes)}, ${plural(cpus, 'processor')}, ${plural(events, 'event')}.`,
      ...result.damage.first.map(
        ({ line, what }) => `Damage${line === null ? '' : `, line ${line}`}: ${what}.`,
      ),
    ],
    sections,
    data: { ...result, formats: formats.map((one) => ({ ...one, moments: columnar(one.moments) })) },
  });
}

function verdict(result: ReplayResult): string {
  if (result.events === 0) return 'The stream has no event to compare';
  if (isSame(result)) return 'Everything is equal';
  return result.determined > 0 ? 'Replay and recording differ' : 'The recording determines no placement';
}
