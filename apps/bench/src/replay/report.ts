import {
  type Column,
  type Console,
  coloursFor,
  count,
  decimal,
  fittedTables,
  pageSizeName,
  plural,
  textTable,
  widthOf,
  wrap,
} from '@vmarea/cli';
import { fragmented, holes, type Moment, type OverFormat } from '@vmarea/compare';
import { printable } from '@vmarea/core';
import asciichart from 'asciichart';
import { mean as meanOf } from 'simple-statistics';
import { START_FILE } from './early-areas.js';
import type { ReplayResult } from './result.js';
import type { Tally } from './tally.js';

interface Line {
  readonly what: string;
  readonly recorded: number;
  readonly equal: number;
}

const COLUMNS: readonly Column<Line>[] = [
  { head: 'compared', align: 'left', cell: ({ what }) => what },
  { head: 'recorded', align: 'right', cell: ({ recorded }) => count(recorded) },
  { head: 'equal', align: 'right', cell: ({ equal }) => count(equal) },
  { head: 'different', align: 'right', cell: ({ recorded, equal }) => count(recorded - equal) },
];

/** The result as text. */
export function replayReport(result: ReplayResult, io: Pick<Console, 'stdout' | 'env'>): string {
  const colours = coloursFor(io.stdout, io.env);
  const width = widthOf(io.stdout, io.env);
  const { set, pageBytes, cpus, events, eventsPerSecond } = result;
  const out = [
    colours.bold(`Replay of every decision about the vmap areas of a real kernel: ${set}`),
    `  Pages of ${pageSizeName(pageBytes)}, ${plural(cpus, 'processor')}, ${plural(events, 'event')}, ${count(eventsPerSecond)} a second`,
    '',
    textTable(COLUMNS, linesOf(result)),
    '',
  ];
  if (result.formats.length > 0) out.push(...formatLines(result.formats, width));
  for (const [why, number] of Object.entries(result.undetermined))
    out.push(wrap(`Undetermined: ${plural(number, 'placement')}, ${why}.`, width, '  '));
  if (result.ambiguous > 0)
    out.push(wrap(`Ambiguous: ${plural(result.ambiguous, 'placement')}, ${linesText(result)}.`, width, '  '));
  for (const { name, first } of result.snapshots)
    if (first !== null) out.push(wrap(colours.red(`Snapshot ${name}: ${first}`), width, '  '));
  if (result.endState?.first !== undefined && result.endState.first !== null)
    out.push(wrap(colours.red(`The replay lacks at the end: ${result.endState.first}`), width, '  '));
  for (const line of result.firstDifference) out.push(colours.red(line));
  if (result.lostEvents + result.otherLines + result.damagedLines > 0)
    out.push(
      `  ${plural(result.lostEvents, 'event')} lost, ${plural(result.otherLines, 'line')} of other tracers skipped, ${plural(result.damagedLines, 'line')} damaged.`,
    );
  const { missingSnapshots: missing } = result;
  for (const name of missing)
    out.push(wrap(`Snapshot "${printable(name)}" is in the trace, but its file is missing.`, width, '  '));
  if (result.earlyAreas === null && !isSame(result))
    out.push(
      wrap(
        `Early areas are missing: ${START_FILE}, beside the stream, names the areas from before the recording. On arm64 these are the kernel's own image, and alignments above a page depend on them.`,
        width,
        '  ',
      ),
    );
  for (const { line, what } of result.damage.first)
    out.push(wrap(colours.red(`Damage${line === null ? '' : `, line ${line}`}: ${what}.`), width, '  '));
  if (result.damage.count > result.damage.first.length)
    out.push(`  ${plural(result.damage.count - result.damage.first.length, 'more place')} with damage.`);
  if (result.events === 0) out.push('The stream has no event to compare.');
  else if (isSame(result) && missing.length > 0 && result.snapshots.length === 0)
    out.push('Everything is equal, but there was no snapshot to compare.');
  else if (isSame(result)) out.push(colours.green('Everything is equal.'));
  else if (result.determined > 0) out.push(colours.red('Replay and recording differ.'));
  else out.push('The recording determines no placement; differences are no failure.');
  return `${out.join('\n')}\n`;
}

/** The lines of ambiguous placements. */
function linesText({ ambiguous, ambiguousLines: lines }: ReplayResult): string {
  const more = ambiguous - lines.length;
  return `line ${lines.join(', ')}${more === 0 ? '' : `, and ${plural(more, 'other')}`}`;
}

const NAME: readonly Column<OverFormat>[] = [
  { head: 'on', align: 'left', cell: ({ configuration }) => configuration },
];
const SPACE: readonly Column<OverFormat>[] = [
  { head: 'areas', align: 'right', cell: ({ peaks }) => count(peaks.areas) },
  { head: 'MiB', align: 'right', cell: ({ peaks }) => count(peaks.busyBytes / 2 ** 20) },
  { head: 'holes', align: 'right', cell: (one) => `${decimal(100 * mean(one, holes), 0)}%` },
  { head: 'free ranges', align: 'right', cell: ({ peaks }) => count(peaks.freeRanges) },
  {
    head: 'largest free GiB',
    align: 'right',
    cell: ({ moments }) => decimal(leastFreeGiB(moments), 1),
  },
  { head: 'fragmented', align: 'right', cell: (one) => `${decimal(100 * mean(one, fragmented), 3)}%` },
];
const COSTS: readonly Column<OverFormat>[] = [
  {
    head: 'waiting MiB',
    align: 'right',
    cell: (one) => decimal(mean(one, ({ lazyBytes }) => lazyBytes) / 2 ** 20, 1),
  },
  { head: 'purges', align: 'right', cell: ({ purges }) => count(purges) },
  { head: 'flushes', align: 'right', cell: ({ flushes }) => count(flushes) },
  { head: 'pages flushed', align: 'right', cell: ({ flushedPages }) => count(flushedPages) },
  { head: 'tables KiB', align: 'right', cell: ({ tableBytes }) => count(tableBytes / 1024) },
  { head: 'failing', align: 'right', cell: ({ failing }) => count(failing) },
];

/** The lines of a chart. */
const CHART_HEIGHT = 8;

/** The costs of the stream on other formats: a table, and the share of holes over time. */
function formatLines(formats: readonly OverFormat[], width: number): string[] {
  const tables = fittedTables(NAME, [SPACE, COSTS], formats, width);
  const lines = ['The same stream on other formats', '', ...tables.flatMap((table) => [table, ''])];
  lines.push(
    wrap(
      'areas, MiB, free ranges: maximum; largest free: minimum. holes: the share of the used span without a live area; fragmented: the ' +
        'share of free bytes outside the largest free range; waiting: for a purge; all three are means. Areas keep their sizes, rounded up ' +
        'to pages. Areas above 64 MiB are reserved but not mapped.',
      width,
      '    ',
    ),
    '',
  );
  for (const { configuration, unmapped } of formats)
    if (unmapped > 0)
      lines.push(
        `${configuration}: ${plural(unmapped, 'area')} not mapped, since the memory for tables was full.`,
        '',
      );
  for (const { names, pageBytes, series } of charts(formats)) {
    const title = `Holes in percent over the stream, pages of ${pageSizeName(pageBytes)} (${names.join(', ')})`;
    lines.push(
      wrap(title, width, '    '),
      asciichart.plot(series, { height: CHART_HEIGHT, format: (value) => decimal(value, 1).padStart(7) }),
      '',
    );
  }
  return lines;
}

interface Chart {
  readonly names: string[];
  readonly pageBytes: number;
  readonly series: number[];
}

/** One chart for all formats with the same curve; none for a stream without requests. */
function charts(formats: readonly OverFormat[]): Iterable<Chart> {
  const all = new Map<string, Chart>();
  for (const { configuration, pageBytes, moments } of formats) {
    if (moments.length === 0) continue;
    const series = moments.map((moment) => 100 * holes(moment));
    const looks = `${pageBytes} ${series.map((value) => decimal(value, 1)).join(' ')}`;
    const chart = all.get(looks) ?? { names: [], pageBytes, series };
    chart.names.push(configuration);
    all.set(looks, chart);
  }
  return all.values();
}

function leastFreeGiB(moments: readonly Moment[]): number | null {
  return moments.length === 0 ? null : Math.min(...moments.map(({ largestFree }) => largestFree)) / 2 ** 30;
}

function mean({ moments }: OverFormat, of: (moment: Moment) => number): number {
  return moments.length === 0 ? 0 : meanOf(moments.map(of));
}

/** True when everything that was compared is equal. */
export function isSame(result: ReplayResult): boolean {
  return linesOf(result).every(({ recorded, equal }) => recorded === equal);
}

function linesOf(result: ReplayResult): Line[] {
  const tally = (what: string, { equal, different }: Tally): Line[] =>
    equal + different === 0 ? [] : [{ what, recorded: equal + different, equal }];
  const lines = [
    ...tally('placements', result),
    ...tally('failing requests', result.failingRequests),
    ...tally('per-cpu placements', result.percpu),
    ...tally('waiting pages, at each free', result.lazyPages),
    ...tally('limit of waiting pages', result.lazyMaxPages),
    ...tally('areas of each purge', result.purges),
    ...tally('flush of each purge', result.flushes),
  ];
  for (const { name, nodes, nodesEqual, waiting, waitingEqual } of result.snapshots) {
    lines.push({ what: `snapshot '${name}': nodes of the free tree`, recorded: nodes, equal: nodesEqual });
    if (waiting > 0)
      lines.push({
        what: `snapshot '${name}': pools and lazy lists`,
        recorded: waiting,
        equal: waitingEqual,
      });
  }
  const { endState } = result;
  if (endState !== null) {
    const { areas, areasEqual, surplus, unpurged, unpurgedEqual, unpurgedSurplus } = endState;
    lines.push({ what: 'vmallocinfo at the end: areas', recorded: areas + surplus, equal: areasEqual });
    if (unpurged + unpurgedSurplus > 0)
      lines.push({
        what: 'vmallocinfo at the end: unpurged',
        ...{ recorded: unpurged + unpurgedSurplus, equal: unpurgedEqual },
      });
  }
  return lines;
}
