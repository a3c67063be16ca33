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
import { type LayoutRow as ComparedRow, pageSizeText } from '@vmarea/compare';
import { printable } from '@vmarea/core';
import { machineLine } from '../machine.js';
import { callersTable } from './callers.js';
import { foldedLines, ranking, rankingTable } from './ranking.js';
import type { LayoutInput, LayoutResult, LayoutRow } from './result.js';

type Columns = readonly Column<LayoutRow>[];

const name: Column<LayoutRow> = { head: 'format', align: 'left', cell: (row) => row.configuration };
const policy: Column<LayoutRow> = { head: 'policy', align: 'left', cell: (row) => row.leafPolicy };

const mapped: Columns = [
  { head: 'areas', align: 'right', cell: (row) => count(row.areas.placed) },
  { head: 'MiB', align: 'right', cell: (row) => decimal(row.mapped.bytes / 2 ** 20, 1) },
  { head: 'leaves by size', align: 'left', cell: leaves },
];

const cost: Columns = [
  { head: 'tables', align: 'right', cell: (row) => count(row.tables.frames) },
  { head: 'KiB', align: 'right', cell: (row) => count(row.tables.bytes / 1024) },
  { head: 'B/MiB', align: 'right', cell: (row) => decimal(row.tables.bytesPerMappedMiB, 0) },
  { head: 'entries/walk', align: 'right', cell: entries },
  { head: 'ns/page', align: 'right', cell: (row) => decimal(row.map?.median, 2) },
  { head: 'ns/walk', align: 'right', cell: (row) => decimal(row.walk.ns?.median, 1) },
];

/** All columns. */
export const LAYOUT_COLUMNS: Columns = [name, policy, ...mapped, ...cost];

const LEGEND: readonly (readonly [string, string])[] = [
  ['policy', 'base: base pages only; huge: larger leaves where Linux and alignment allow them'],
  ['MiB', 'mapped memory: the real sizes, rounded up to the format’s pages'],
  ['tables, KiB', 'frames of page tables, with the root, and their bytes; B/MiB: table bytes per mapped MiB'],
  ['entries/walk', 'entries that a walk reads, mean and maximum, over random mapped pages'],
  ['ns/page', 'time to map, per base page (median); ns/walk: time to translate one address'],
];

const RANKING_LEGEND: readonly (readonly [string, string])[] = [
  [
    'KiB',
    'page tables (█), with the root; lost (▒): memory that nobody asked for, since sizes are rounded up to pages',
  ],
  ['share', 'both, of the mapped memory; reads: entries that a walk reads, mean over random mapped pages'],
];

/**
 * The result as text, as wide as standard output.
 *
 * @param compared - the rows with their areas and callers.
 * @param details - whether all counts and times of each row are shown, too.
 */
export function layoutReport(
  result: LayoutResult,
  compared: readonly ComparedRow[],
  io: Pick<Console, 'stdout' | 'env'>,
  details: boolean,
): string {
  const colours = coloursFor(io.stdout, io.env);
  const width = widthOf(io.stdout, io.env);
  const out: string[] = [];
  const paragraph = (text: string, indent = ''): number => out.push(wrap(text, width, indent));

  paragraph(colours.bold(`What the vm areas of ${printable(result.input.title)} cost in each format`));
  paragraph(inputLine(result.input), '  ');
  for (const note of inputNotes(result.input)) paragraph(colours.yellow(note), '  ');
  paragraph(`Machine: ${machineLine(result.machine)}`, '  ');
  out.push('');
  const legend = (lines: typeof LEGEND): void => {
    for (const [what, meaning] of lines) paragraph(`${colours.dim(what)}  ${meaning}`, '    ');
    out.push('');
  };
  if (details) {
    const tables = fittedTables([name, policy], [mapped, cost], result.rows, width);
    out.push(...tables.flatMap((table) => [table, '']));
    legend(LEGEND);
  }
  const ranks = ranking(compared);
  paragraph(colours.bold('The cheapest first'));
  out.push('', rankingTable(ranks, width), '');
  const folded = foldedLines(ranks);
  if (folded.length > 0) {
    paragraph('Rows that cost the same are one:');
    for (const line of folded) paragraph(colours.dim(line), '    ');
    out.push('');
  }
  legend(RANKING_LEGEND);
  const [least, most] = [ranks.at(0)?.rows[0], ranks.at(-1)?.rows[0]];
  if (least !== undefined && most !== undefined && most.callers.length > 0) {
    const { table, others } = callersTable(least, most);
    paragraph(colours.bold('Who costs most, in KiB of tables and lost memory'));
    out.push('', table, '');
    if (others !== '') paragraph(others);
    paragraph(
      `${colours.dim('least')}  in ${least.configuration}, ${least.leafPolicy} leaves; ` +
        `${colours.dim('most')}, ${colours.dim('share')}  in ${most.configuration}, ${most.leafPolicy} leaves`,
      '    ',
    );
    out.push('');
  }
  paragraph(pageSizeText({ input: result.input, rows: compared }));
  out.push('');
  paragraph(colours.green(proof(result)), '  ');
  for (const note of rowNotes(result.rows)) paragraph(note, '  ');
  for (const warning of result.warnings) paragraph(colours.yellow(`Warning: ${printable(warning)}`), '  ');
  return `${out.join('\n')}\n`;
}

function leaves(row: LayoutRow): string {
  return row.leaves.map((leaf) => `${count(leaf.count)}×${pageSizeName(leaf.bytes)}`).join(' ') || '–';
}

function entries({ walk }: LayoutRow): string {
  return walk.entriesMean === null ? '–' : `${decimal(walk.entriesMean, 2)} / ${walk.entriesMax}`;
}

/** Where the areas are from, and what they are. */
export function inputLine(input: LayoutInput): string {
  const kinds = Object.entries(input.areas);
  const total = kinds.reduce((sum, [, number]) => sum + number, 0);
  const found = {
    option: 'as given',
    lines: 'found from its lines',
    default: 'assumed, since no line tells it',
  }[input.pageBytesFrom];
  const list = kinds.map(([kind, number]) => `${count(number)} ${kind}`).join(', ');
  return (
    `Input: ${printable(input.file)}, ${plural(input.lines, 'line')}: ${plural(total, 'area')}` +
    `${total === 0 ? '' : ` (${list})`}; source pages of ${pageSizeName(input.pageBytes)} (${found})`
  );
}

function inputNotes(input: LayoutInput): string[] {
  const notes: string[] = [];
  if (input.hashedLines > 0) {
    notes.push(
      `The kernel hid the addresses of ${plural(input.hashedLines, 'line')}. Sizes and kinds are enough.`,
    );
  }
  if (input.unpurged > 0) notes.push(`Skipped: ${plural(input.unpurged, 'area')} already freed (unpurged).`);
  const { lines, first } = input.skipped;
  if (lines > 0) {
    notes.push(`Skipped: ${plural(lines, 'line')} that cannot be read:`);
    notes.push(...first.map(({ message }) => `- ${printable(message)}`));
    if (lines > first.length) notes.push(`- and ${count(lines - first.length)} more`);
  }
  const words = Object.entries(input.unknownWords);
  if (words.length > 0) {
    const list = words.map(([word, number]) => `${printable(word.slice(0, 40))} (${count(number)})`);
    const shown = list.slice(0, 10).join(', ');
    notes.push(`Unknown words: ${shown}${list.length > 10 ? `, and ${list.length - 10} more` : ''}.`);
  }
  return notes;
}

/** What the run checked. */
export function proof({ rows }: LayoutResult): string {
  const sum = (pick: (row: LayoutRow) => number): number => rows.reduce((total, row) => total + pick(row), 0);
  const balance = (of: keyof LayoutRow['leakCheck'], what: string): string => {
    const taken = sum(({ leakCheck }) => leakCheck[of].peak - leakCheck[of].before);
    const leaked = sum(({ leakCheck }) => leakCheck[of].after - leakCheck[of].before);
    return `${count(taken - leaked)} of ${count(taken)} ${what}`;
  };
  return (
    `${balance('tables', 'table frames')} and ${balance('frames', 'mapped frames')} came back. ` +
    `${count(sum((row) => row.checkedTranslations))} translations checked: all correct.`
  );
}

function rowNotes(rows: readonly LayoutRow[]): string[] {
  const [first] = rows;
  if (first === undefined) return [];
  const notes: string[] = [];
  const { sparse, unknownContent } = first.areas;
  if (sparse > 0) notes.push(`Reserved but not mapped: ${plural(sparse, 'sparse area')}.`);
  if (unknownContent > 0) {
    notes.push(
      `Reserved but not mapped, since the input does not tell their contents: ${plural(unknownContent, 'area')}.`,
    );
  }
  return notes;
}
