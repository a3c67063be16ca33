import {
  type Column,
  type Console,
  coloursFor,
  count,
  markdownTable,
  plural,
  textTable,
  widthOf,
  wrap,
} from '@vmarea/cli';
import { machineLine } from '../../machine.js';
import type { WorkersResult, WorkersRow } from './result.js';

/** The columns of a table. */
export const COLUMNS: readonly Column<WorkersRow>[] = [
  { head: 'format', align: 'left', cell: ({ configuration }) => configuration },
  { head: 'work', align: 'left', cell: ({ work }) => work },
  { head: '1 worker ns', align: 'right', cell: ({ one }) => one.median.toFixed(1) },
  { head: 'MAD', align: 'right', cell: ({ one }) => one.mad.toFixed(1) },
  { head: 'all ns', align: 'right', cell: ({ all }) => all.median.toFixed(1) },
  { head: 'MAD', align: 'right', cell: ({ all }) => all.mad.toFixed(1) },
  { head: 'scaling', align: 'right', cell: ({ scaling }) => scaling.toFixed(2) },
  { head: 'pages', align: 'right', cell: ({ roundPages }) => count(roundPages) },
];

/** What their words mean. */
export const LEGEND = [
  ['apart', 'as private, in a memory of its own: what this machine gives to workers that share nothing'],
  ['private', 'each worker maps and unmaps a sparse area of its own, 64 pages a call'],
  ['sparse', 'all workers populate one sparse area page by page, each its own pages in an order of its own'],
  ['neighbours', 'the same from the first page on: workers write neighbouring entries at the same time'],
  ['ns', 'nanoseconds by the pages of all workers that take part: the median of all rounds'],
  ['MAD', 'the median absolute deviation: half of the rounds are this close to the median'],
  ['scaling', 'how many times as many pages all workers do in the same time as one'],
  ['pages', 'pages that each worker maps in a round'],
] as const;

/** What was measured, and where. */
export function factsOf({ machine, seed, workers, repeat, warmUp }: WorkersResult): readonly string[] {
  return [
    `Machine: ${machineLine(machine)}`,
    `Seed ${seed}. ${workers} workers over one address space. ${plural(repeat, 'round')} with one worker and as many with all, in turns, after ${warmUp} of each.`,
  ];
}

/** The result for people, as wide as the terminal. */
export function workersReport(result: WorkersResult, io: Pick<Console, 'stdout' | 'env'>): string {
  const colours = coloursFor(io.stdout, io.env);
  const width = widthOf(io.stdout, io.env);
  const out = [
    ...factsOf(result).map((line) => wrap(line, width, '  ')),
    '',
    textTable(COLUMNS, result.rows),
    '',
    ...LEGEND.map(([what, text]) => wrap(`${colours.dim(what)}  ${text}`, width, '  ')),
    ...result.warnings.map((line) => wrap(colours.yellow(line), width, '  ')),
  ];
  return `${out.join('\n')}\n`;
}

/** The result as Markdown. */
export function workersMarkdown(result: WorkersResult): string {
  const out = [
    ...factsOf(result).map((line) => `- ${line}`),
    '',
    markdownTable(COLUMNS, result.rows),
    '',
    ...LEGEND.map(([what, text]) => `- \`${what}\`: ${text}`),
    ...result.warnings.map((line) => `- ${line}`),
  ];
  return `${out.join('\n')}\n`;
}
