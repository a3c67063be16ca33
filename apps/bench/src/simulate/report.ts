import {
  type Column,
  type Console,
  coloursFor,
  count,
  decimal,
  fittedTables,
  pageSizeName,
  plural,
  widthOf,
  wrap,
} from '@vmarea/cli';
import type { AccessRow, Cycles } from '@vmarea/compare';
import { printable } from '@vmarea/core';
import asciichart from 'asciichart';
import { chartsOf, MOST_CHARTS } from './charts.js';
import type { SimulateResult } from './result.js';

type Columns = readonly Column<AccessRow>[];

const KEYS: Columns = [
  { head: 'format', align: 'left', cell: ({ configuration }) => configuration },
  { head: 'leaves', align: 'left', cell: ({ leaves }) => leaves },
  { head: 'preset', align: 'left', cell: ({ preset }) => preset },
];
const MEMORY: Columns = [
  { head: 'pages', align: 'right', cell: ({ touchedPages }) => count(touchedPages) },
  { head: 'MiB', align: 'right', cell: ({ mapped }) => decimal(mapped.bytes / 2 ** 20, 2) },
  { head: 'leaves by size', align: 'left', cell: leavesText },
  { head: 'tables KiB', align: 'right', cell: ({ tables }) => count(tables.bytes / 1024) },
  { head: 'L1 reach', align: 'right', cell: ({ reach }) => bytesText(reach.l1) },
  { head: 'L2 reach', align: 'right', cell: ({ reach }) => bytesText(reach.l2) },
];
const MISSES: Columns = [
  { head: 'accesses', align: 'right', cell: ({ accesses }) => count(accesses.total) },
  { head: 'L1I/k', align: 'right', cell: (row) => decimal(firstLevel(row, true), 3) },
  { head: 'L1D/k', align: 'right', cell: (row) => decimal(firstLevel(row, false), 3) },
  { head: 'walks/k', align: 'right', cell: (row) => decimal(perThousand(row, row.walks), 3) },
  { head: 'L2-hit cycles/k', align: 'right', cell: (row) => cyclesText(row, row.cycles.l2Hits) },
  { head: 'walk cycles/k', align: 'right', cell: (row) => cyclesText(row, row.cycles.walks) },
];
const WALKS: Columns = [
  { head: 'walks', align: 'right', cell: ({ walks }) => count(walks) },
  { head: 'reads/walk', align: 'right', cell: (row) => decimal(perWalk(row, row.tableReads.total), 2) },
  { head: 'by level', align: 'left', cell: byLevel },
  { head: 'walk-cache hits', align: 'right', cell: ({ walkCacheHits }) => count(walkCacheHits) },
];

/** All columns. */
export const SIMULATE_COLUMNS: Columns = [...KEYS, ...MISSES, ...WALKS, ...MEMORY];

const LEGEND: readonly (readonly [string, string])[] = [
  [
    'leaves',
    'base: base pages; runs: also runs (contiguous hint, NAPOT); huge: all leaves of Linux’s vmalloc policy; own: the process’s own table',
  ],
  ['pages', 'base pages that the trace touches; MiB: mapped for them; tables: with the root'],
  ['reach', 'what the TLBs for loads cover when they are full of these leaves'],
  [
    'L1I/k, L1D/k',
    'misses of the first level, for fetches and for loads and stores, for each thousand of all accesses; walks/k: misses of all levels',
  ],
  [
    'cycles/k',
    'estimated cycles for each thousand accesses, of misses that the second level serves and of walks; blank where nobody published the price',
  ],
  [
    'reads/walk',
    'table entries that a walk reads; by level, root first; walk-cache hits: walks that began at an entry of a walk cache',
  ],
];

/** The result as text, as wide as standard output. */
export function simulateReport(result: SimulateResult, io: Pick<Console, 'stdout' | 'env'>): string {
  const colours = coloursFor(io.stdout, io.env);
  const width = widthOf(io.stdout, io.env);
  const out: string[] = [];
  const paragraph = (text: string, indent = ''): number => out.push(wrap(text, width, indent));
  const { trace, rows, options } = result;

  paragraph(colours.bold(`What the memory accesses of ${printable(trace.file)} cost in each format`));
  paragraph(traceLine(result), '  ');
  if (trace.cutOff !== null)
    paragraph(colours.yellow(`Cut off: ${trace.cutOff}. What came before is simulated.`), '  ');
  paragraph(backingLine(result), '  ');
  out.push('');
  out.push(...fittedTables(KEYS, [MISSES, WALKS, MEMORY], rows, width).flatMap((table) => [table, '']));
  for (const [what, meaning] of LEGEND) paragraph(`${colours.dim(what)}  ${meaning}`, '    ');
  out.push('');
  const { charts, left } = chartsOf(rows);
  for (const { names, series } of charts) {
    paragraph(`Walks for each thousand accesses, over the trace: ${names.join('; ')}`, '    ');
    out.push(
      asciichart.plot(series, { height: 6, format: (value) => decimal(Math.max(0, value), 2).padStart(8) }),
      '',
    );
  }
  if (left > 0)
    paragraph(`${plural(left, 'more curve')}: --json has all; a chart shows at most ${MOST_CHARTS}.`, '  ');
  for (const note of notesOf(rows, options.walkCaches)) paragraph(note, '  ');
  for (const warning of result.warnings) paragraph(colours.yellow(`Warning: ${printable(warning)}`), '  ');
  return `${out.join('\n')}\n`;
}

/** What the trace is. */
export function traceLine({ trace, rows }: SimulateResult): string {
  const { format, records, others, firstOther } = trace;
  const [first] = rows;
  const kinds =
    first === undefined
      ? ''
      : `; ${plural(first.accesses.fetches, 'fetch', 'fetches')}, ${plural(first.accesses.loads, 'load')}, ${plural(first.accesses.stores, 'store')} of pages of ${pageSizeName(first.pageBytes)}`;
  const left =
    others === 0
      ? ''
      : `; left out: ${plural(others, 'other')}${firstOther === '' ? '' : `, the first is ${firstOther}`}`;
  return `Trace: ${format}, ${plural(records, 'record')}${kinds}${left}`;
}

/** Where its pages are. */
export function backingLine({ options }: SimulateResult): string {
  const { pagemap, image, frames, dense, seed } = options;
  if (image !== null) return `Pages: the table in ${printable(image)}`;
  if (pagemap !== null) return `Pages: those of ${printable(pagemap)}`;
  const order = frames === 'adjacent' ? 'frames in the order of first touches' : 'scattered frames';
  return `Pages: mapped on first touch, ${order}; larger leaves where ${dense} % of their pages are touched; seed ${seed}`;
}

function leavesText({ mapped }: AccessRow): string {
  return mapped.leaves.map((leaf) => `${count(leaf.count)}×${pageSizeName(leaf.bytes)}`).join(' ') || '–';
}

/** A size in the largest unit in which it has no more than three digits before the point: `1.5M`. */
function bytesText(bytes: number | null): string {
  if (bytes === null) return '–';
  for (const [unit, size] of [
    ['T', 2 ** 40],
    ['G', 2 ** 30],
    ['M', 2 ** 20],
    ['K', 2 ** 10],
  ] as const)
    if (bytes >= size) return `${decimal(bytes / size, bytes % size === 0 ? 0 : 1)}${unit}`;
  return `${bytes}`;
}

/** A number for each thousand accesses. */
export function perThousand({ accesses }: AccessRow, number: number): number {
  return accesses.total === 0 ? 0 : (1000 * number) / accesses.total;
}

function perWalk({ walks }: AccessRow, number: number): number | null {
  return walks === 0 ? null : number / walks;
}

/** Misses of the first level for each thousand accesses: of fetches, or of loads and stores. */
function firstLevel(row: AccessRow, isFetch: boolean): number {
  return row.tlbs
    .filter(({ level, kinds }) => level === 1 && kinds.includes('execute') === isFetch)
    .reduce((sum, { missesPerThousand }) => sum + missesPerThousand, 0);
}

function byLevel(row: AccessRow): string {
  if (row.walks === 0) return '–';
  return row.tableReads.levels
    .map(({ name, reads }) => `${name} ${decimal(perWalk(row, reads), 2)}`)
    .join(' ');
}

function cyclesText(row: AccessRow, cycles: Cycles | null): string {
  if (cycles === null) return '';
  const [low, high] = [cycles.low, cycles.high].map((value) => decimal(perThousand(row, value), 1));
  return low === high ? `${low}` : `${low}–${high}`;
}

/** What a reader must know. */
export function notesOf(rows: readonly AccessRow[], walkCaches: string): string[] {
  const notes: string[] = [];
  for (const { accesses, configuration, leaves } of uniqueBackings(rows))
    if (accesses.unmapped > 0)
      notes.push(
        `${configuration}, ${leaves} leaves: ${plural(accesses.unmapped, 'access', 'accesses')} of pages that the table does not map, left out.`,
      );
  const moved = new Map(
    rows.filter((row) => row.movedPieces > 0).map((row) => [row.configuration, row.movedPieces]),
  );
  for (const [configuration, pieces] of moved)
    notes.push(
      `${configuration} does not translate some addresses: ${plural(pieces, 'piece')} of 1 GiB moved into its range.`,
    );
  const unknown = rows.filter(({ assumptions }) => assumptions.length > 0).map(({ preset }) => preset);
  if (unknown.length > 0)
    notes.push(
      `Some values of ${[...new Set(unknown)].join(', ')} are not published and are assumed; --json lists them. ` +
        (walkCaches === 'champsim'
          ? 'Unknown walk caches are those of ChampSim; --walk-caches none takes none.'
          : 'Unknown walk caches are taken as none.'),
    );
  return notes;
}

function uniqueBackings(rows: readonly AccessRow[]): AccessRow[] {
  const seen = new Set<string>();
  return rows.filter(({ configuration, leaves }) => {
    const key = `${configuration} ${leaves}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
