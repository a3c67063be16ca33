import {
  type Column,
  type Console,
  coloursFor,
  count,
  fittedTables,
  markdownTable,
  plural,
  textTable,
  widthOf,
  wrap,
} from '@vmarea/cli';
import { printable } from '@vmarea/core';
import { machineLine } from '../machine.js';
import { AGREEMENT, COMPARED, KEYS, SPREAD, TIMES, WORK } from './columns.js';
import { LEAST_PASSES } from './compare.js';
import type { Comparison, SpeedResult, SpeedRow, Verdict } from './result.js';

/** With fewer pages, the cost of a call exceeds the cost of its pages. */
const FEW_PAGES = 1024;
const FEW_PAGES_NOTE = 'With so few pages, times are mostly those of the calls, not of the pages.';
const QUICK_NOTE =
  'A quick run: few pages, whose tables fit into the caches, and one process for each column. Its times show the order of things: ' +
  'leave out --quick to measure them well.';

type Legend = readonly (readonly [string, string])[];

const TIMES_LEGEND: Legend = [
  [
    'ns',
    'nanoseconds per page, leaf, translation or operation: the median of all rounds, without preparation and checks',
  ],
];
const COLUMNS_LEGEND: Legend = [
  [
    'wasm, array',
    'the engine with WebAssembly loops, and with array loops (the same loops over typed arrays)',
  ],
  ['C', 'page tables of x86-64 with 4 levels and the same checks, in C, compiled on this machine'],
];
const SPREAD_LEGEND: Legend = [
  [
    'min, MAD',
    'the fastest round; median absolute deviation: half of the rounds are this close to the median',
  ],
];
const WORK_LEGEND: Legend = [
  ['units', 'pages, leaves, translations or operations of a round; entries and bytes written are exact'],
];

/** The columns of a result, in groups that stay together, and their legend. A quick run also says which columns agree. */
export function columnsOf({ quick }: SpeedResult): {
  readonly columns: readonly (readonly Column<SpeedRow>[])[];
  readonly legend: Legend;
} {
  if (quick)
    return {
      columns: [TIMES, [...WORK, ...AGREEMENT]],
      legend: [...TIMES_LEGEND, ...COLUMNS_LEGEND, ...WORK_LEGEND],
    };
  return {
    columns: [TIMES, SPREAD, WORK],
    legend: [...TIMES_LEGEND, ...COLUMNS_LEGEND, ...SPREAD_LEGEND, ...WORK_LEGEND],
  };
}

/** The result as text. */
export function speedReport(result: SpeedResult, io: Pick<Console, 'stdout' | 'env'>): string {
  const colours = coloursFor(io.stdout, io.env);
  const width = widthOf(io.stdout, io.env);
  const { columns, legend } = columnsOf(result);
  const tables = groups(result).flatMap(([title, rows]) => [
    wrap(colours.bold(title), width),
    '',
    ...fittedTables(KEYS, columns, rows, width).flatMap((table) => [table, '']),
  ]);
  const out = [
    ...facts(result).map((line) => wrap(line, width, '  ')),
    '',
    ...tables,
    ...legend.map(([what, meaning]) => wrap(`${colours.dim(what)}  ${meaning}`, width, '    ')),
    '',
    ...descriptions(result).map(([id, text]) => wrap(`${colours.dim(id)}  ${text}`, width, '    ')),
    '',
    ...comparisonText(result.comparison, width, colours.bold),
    ...skipped(result).map((line) => wrap(line, width, '  ')),
    ...notes(result).map((line) => wrap(colours.yellow(line), width, '  ')),
  ];
  return `${out.join('\n').trimEnd()}\n`;
}

/** The result in Markdown, for documents. */
export function speedMarkdown(result: SpeedResult): string {
  const { comparison } = result;
  const out = [
    ...facts(result).map((line) => `- ${line}`),
    '',
    ...groups(result).flatMap(([title, rows]) => [
      `**${title}**`,
      '',
      markdownTable([...KEYS, ...columnsOf(result).columns.flat()], rows),
      '',
    ]),
    ...descriptions(result).map(([id, text]) => `- \`${id}\`: ${text}`),
    '',
    ...(comparison === null
      ? []
      : [
          `**Compared with ${printable(comparison.file)}**`,
          '',
          ...(comparison.rows.length === 0 ? [] : [markdownTable(COMPARED, comparison.rows), '']),
          verdicts(comparison),
          '',
        ]),
    ...[...skipped(result), ...notes(result)].map((line) => `- ${line}`),
  ];
  return `${out.join('\n').trimEnd()}\n`;
}

/** The rows of each configuration, with its title. */
function groups({ rows }: SpeedResult): [string, SpeedRow[]][] {
  const names = [...new Set(rows.map(({ configuration }) => configuration))];
  return names.map((name) => {
    const own = rows.filter(({ configuration }) => configuration === name);
    return [`${name} (${own[0]?.title})`, own];
  });
}

/** Where and how it was measured. */
export function facts(result: SpeedResult): string[] {
  const { machine, compiler, seed, passes, repeat, warmUp, warmUpMs, rows } = result;
  const fewer = rows.some((row) => row.rounds < repeat || row.passes < passes);
  return [
    `Machine: ${machineLine(machine)}`,
    `C compiler: ${compiler === null ? 'not used' : printable(compiler)}`,
    `Seed ${seed}. ${plural(passes, 'new process', 'new processes')} for each column, in alternating order. Each has ` +
      `${plural(repeat, 'round')} after at least ${plural(warmUp, 'round')}` +
      `${warmUpMs === 0 ? '' : ` and ${warmUpMs} ms`} to warm up${fewer ? ', fewer for large workloads' : ''}.`,
  ];
}

/** The workloads and what they do. */
export function descriptions({ rows }: SpeedResult): [string, string][] {
  return [...new Map(rows.map(({ workload, description }) => [workload, description]))];
}

/** Workloads that formats do not support. */
export function skipped({ skipped: list }: SpeedResult): string[] {
  return list.map(
    ({ configuration, workload, reason }) => `${configuration} has no ${workload}: ${printable(reason)}.`,
  );
}

/** What a reader must know. */
export function notes({ warnings, quick, pages }: SpeedResult): string[] {
  return [
    ...(quick ? [QUICK_NOTE] : []),
    ...(pages < FEW_PAGES ? [FEW_PAGES_NOTE] : []),
    ...warnings.map((warning) => `Warning: ${printable(warning)}`),
  ];
}

function comparisonText(
  comparison: Comparison | null,
  width: number,
  bold: (text: string) => string,
): string[] {
  if (comparison === null) return [];
  const { rows, file } = comparison;
  return [
    wrap(bold(`Compared with ${printable(file)}`), width),
    '',
    ...(rows.length === 0 ? [] : [textTable(COMPARED, rows), '']),
    wrap(verdicts(comparison), width, '  '),
    '',
  ];
}

/** The number of each verdict, as a sentence. */
function verdicts({ rows, unmatched }: Comparison): string {
  const of = (wanted: Verdict): number => rows.filter(({ verdict }) => verdict === wanted).length;
  const unsure = of('unsure');
  return (
    `${count(of('faster'))} faster, ${count(of('slower'))} slower, ${count(of('same'))} the same within the noise` +
    `${unsure === 0 ? '' : `, ${count(unsure)} unsure: a verdict needs ${LEAST_PASSES} passes in both results`}` +
    `${unmatched === 0 ? '' : `; the earlier result lacks ${plural(unmatched, 'row')} of this size`}.`
  );
}
