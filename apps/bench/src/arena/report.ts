import {
  type Column,
  type Console,
  coloursFor,
  count,
  decimal,
  markdownTable,
  plural,
  textTable,
  widthOf,
  wrap,
} from '@vmarea/cli';
import { printable } from '@vmarea/core';
import { machineLine } from '../machine.js';
import { MEASURES } from './measures.js';
import type { ArenaFormat, ArenaResult, ArenaRow, ProgramRow } from './result.js';

type Of<Row> = Row & { readonly configuration: string };

const format = <Row>(): Column<Of<Row>> => ({
  head: 'format',
  align: 'left',
  cell: ({ configuration }) => configuration,
});

const number = <Row>(head: string, cell: (row: Row) => string): Column<Row> => ({
  head,
  align: 'right',
  cell,
});

const MEASURE: Column<Of<ArenaRow>> = { head: 'measure', align: 'left', cell: ({ measure }) => measure };
const UNITS: readonly Column<Of<ArenaRow>>[] = [
  number('units', ({ units }) => count(units)),
  number('pages/call', ({ pagesPerCall, unit }) => (unit === 'page' ? count(pagesPerCall) : '–')),
];
const TIMES: readonly Column<Of<ArenaRow>>[] = [
  number('ns', ({ ns }) => decimal(ns?.median, 1)),
  number('beyond zeroing', ({ beyondZeroing }) => decimal(beyondZeroing?.median, 1)),
  number('min', ({ ns }) => decimal(ns?.min, 1)),
  number('MAD', ({ ns }) => decimal(ns?.mad, 1)),
];

const kib = (bytes: number): string => count(bytes / 1024);
const SPARSE: readonly Column<ArenaFormat>[] = [
  { head: 'format', align: 'left', cell: ({ configuration }) => configuration },
  number('sparse pages', ({ sparse }) => count(sparse.pages)),
  number('prepared KiB', ({ sparse }) => kib(sparse.preparedBytes)),
  number('needed KiB', ({ sparse }) => kib(sparse.neededBytes)),
  number('process KiB', ({ sparse }) => kib(sparse.processBytes)),
];

const PROGRAM: Column<Of<ProgramRow>> = { head: 'program', align: 'left', cell: ({ program }) => program };
const PROGRAM_COUNTS: readonly Column<Of<ProgramRow>>[] = [
  number('elements', ({ elements }) => count(elements)),
  number('instructions', ({ instructions }) => count(instructions)),
];
const PROGRAM_TIMES: readonly Column<Of<ProgramRow>>[] = [
  number('million/s', ({ millions }) => decimal(millions?.median, 1)),
  number('max', ({ millions }) => decimal(millions?.max, 1)),
  number('MAD', ({ millions }) => decimal(millions?.mad, 1)),
];

const QUICK_NOTE =
  'A quick run checks addresses, zeros, counts and sums. It is too short for times: leave out --quick to measure them.';

const LEGEND: readonly (readonly [string, string])[] = [
  [
    'ns',
    'nanoseconds per page, or per access: the median of all rounds; MAD: half of the rounds are this close to it',
  ],
  ['beyond zeroing', 'the same less `zero` in the same round'],
  ['prepared', 'tables of a window of 4 GiB that are made in advance; needed: those that release 6.14 makes'],
  ['process', 'tables of a process that touched every sparse page, without its root'],
  ['million/s', 'millions of BPF instructions a second'],
];

/** The tables of a result. A quick run shows no times. */
function tables(
  { formats, quick }: ArenaResult,
  draw: <Row>(columns: readonly Column<Row>[], rows: readonly Row[]) => string,
): readonly string[] {
  const rows = formats.flatMap(({ configuration, rows }) => rows.map((row) => ({ ...row, configuration })));
  const programs = formats.flatMap(({ configuration, programs }) =>
    programs.map((row) => ({ ...row, configuration })),
  );
  return [
    draw([format<ArenaRow>(), MEASURE, ...(quick ? [] : TIMES), ...UNITS], rows),
    draw(SPARSE, formats),
    draw([format<ProgramRow>(), PROGRAM, ...(quick ? [] : PROGRAM_TIMES), ...PROGRAM_COUNTS], programs),
  ];
}

/** The result as text. */
export function arenaReport(result: ArenaResult, io: Pick<Console, 'stdout' | 'env'>): string {
  const colours = coloursFor(io.stdout, io.env);
  const width = widthOf(io.stdout, io.env);
  const entry = ([what, meaning]: readonly [string, string]): string =>
    wrap(`${colours.dim(what)}  ${meaning}`, width, '    ');
  const out = [
    wrap(colours.bold('A BPF arena in each format'), width),
    ...facts(result).map((line) => wrap(line, width, '  ')),
    '',
    ...tables(result, textTable).flatMap((table) => [table, '']),
    ...(result.quick ? LEGEND.slice(2, 4) : LEGEND).map(entry),
    '',
    ...MEASURES.map(entry),
    '',
    wrap(colours.green(checked(result)), width, '  '),
    ...notes(result).map((line) => wrap(colours.yellow(line), width, '  ')),
  ];
  return `${out.join('\n')}\n`;
}

/** The result in Markdown, for documents. */
export function arenaMarkdown(result: ArenaResult): string {
  const out = [
    ...facts(result).map((line) => `- ${line}`),
    '',
    ...tables(result, markdownTable).flatMap((table) => [table, '']),
    ...MEASURES.map(([measure, text]) => `- \`${measure}\`: ${text}`),
    '',
    checked(result),
    ...notes(result).map((line) => `- ${line}`),
  ];
  return `${out.join('\n')}\n`;
}

function facts({ machine, seed, repeat, warmUp, warmUpMs }: ArenaResult): string[] {
  return [
    `Machine: ${machineLine(machine)}`,
    `Seed ${seed}. ${plural(repeat, 'round')} after at least ${plural(warmUp, 'round')}` +
      `${warmUpMs === 0 ? '' : ` and ${warmUpMs} ms`} to warm up, a process for each format.`,
  ];
}

function checked({ formats }: ArenaResult): string {
  const tables = formats.reduce(
    (sum, { leakCheck }) => sum + leakCheck.tables.after - leakCheck.tables.before,
    0,
  );
  const pages = formats.reduce(
    (sum, { leakCheck }) => sum + leakCheck.pages.after - leakCheck.pages.before,
    0,
  );
  return (
    'Every round had its pages, zeros, sums and instructions. ' +
    `Leaked: ${plural(pages, 'page')}, ${plural(tables, 'table frame')}.`
  );
}

function notes({ quick, warnings }: ArenaResult): string[] {
  return [...(quick ? [QUICK_NOTE] : []), ...warnings.map((warning) => `Warning: ${printable(warning)}`)];
}
