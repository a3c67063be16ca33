import { type Console, coloursFor, widthOf } from '../console.js';
import { printable } from '../input/vmallocinfo.js';
import { machineLine } from '../machine.js';
import { count, decimal, pageSizeName } from '../numbers.js';
import type { Spread } from '../spread.js';
import { type Column, fittedTables, wrap } from '../text-table.js';
import type { SpeedResult, SpeedRow, Timed } from './result.js';

/** One line of the table: an operation of a configuration. */
interface Line {
  readonly row: SpeedRow;
  readonly operation: string;
  readonly ns: Spread;
  readonly work: Timed['work'] | null;
}

const workOf = (pick: (work: Timed['work']) => number) => (line: Line) =>
  line.work === null ? '–' : count(pick(line.work));

const KEYS: readonly Column<Line>[] = [
  { head: 'format', align: 'left', cell: ({ row }) => row.configuration },
  { head: 'page', align: 'right', cell: ({ row }) => pageSizeName(row.pageBytes) },
  { head: 'operation', align: 'left', cell: ({ operation }) => operation },
];

const TIMES: readonly Column<Line>[] = [
  { head: 'ns', align: 'right', cell: ({ ns }) => decimal(ns.median, 2) },
  { head: 'min', align: 'right', cell: ({ ns }) => decimal(ns.min, 2) },
  { head: 'max', align: 'right', cell: ({ ns }) => decimal(ns.max, 2) },
  { head: 'MAD', align: 'right', cell: ({ ns }) => decimal(ns.mad, 2) },
];

const WORK: readonly Column<Line>[] = [
  { head: 'read', align: 'right', cell: workOf((work) => work.tablesRead) },
  { head: 'written', align: 'right', cell: workOf((work) => work.entriesWritten) },
  { head: 'tables', align: 'right', cell: workOf((work) => work.tablesAllocated) },
];

/** With fewer pages, what a call costs by itself outweighs what its pages cost. */
const FEW_PAGES = 1024;
const FEW_PAGES_NOTE = 'With so few pages the times are mostly those of the calls, not of the pages.';

/** The result as a text for people. */
export function speedReport(result: SpeedResult, io: Pick<Console, 'stdout' | 'env'>): string {
  const colours = coloursFor(io.stdout, io.env);
  const width = widthOf(io.stdout, io.env);
  const lines = result.rows.flatMap((row): Line[] => [
    { row, operation: 'map', ...row.map },
    { row, operation: 'translate', ns: row.translate.ns, work: null },
    { row, operation: 'unmap', ...row.unmap },
  ]);
  const checksums = [...new Set(result.rows.map((row) => hex32(row.checksum)))];
  const out = [
    wrap(colours.bold(`${count(result.pages)} scattered base pages: map, translate at random, unmap`), width),
    wrap(`Machine: ${machineLine(result.machine)}`, width, '  '),
    '',
    ...fittedTables(KEYS, [TIMES, WORK], lines, width).flatMap((table) => [table, '']),
    wrap(
      `${colours.dim('ns')}  per page or translation: median of ${result.repeat} rounds after ${result.warmUp} to warm up`,
      width,
      '    ',
    ),
    wrap(
      `${colours.dim('MAD')}  median absolute deviation: half of the rounds lie this near to the median`,
      width,
      '    ',
    ),
    wrap(
      `${colours.dim('read, written, tables')}  tables read, entries written and tables allocated by one call, exact`,
      width,
      '    ',
    ),
    ...(result.pages < FEW_PAGES ? ['', wrap(colours.yellow(FEW_PAGES_NOTE), width, '  ')] : []),
    '',
    wrap(`Seed ${result.seed}. Checksum of the translations: ${checksums.join(', ')}.`, width, '  '),
    ...result.warnings.map((warning) => wrap(colours.yellow(`Warning: ${printable(warning)}`), width, '  ')),
  ];
  return `${out.join('\n')}\n`;
}

function hex32(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
