import {
  type Column,
  type Console,
  coloursFor,
  count,
  fittedTables,
  plural,
  widthOf,
  wrap,
} from '@vmarea/cli';
import { printable } from '@vmarea/core';
import { machineLine } from '../machine.js';
import { TEST_CASES } from './cases/index.js';
import type { WorkloadResult, WorkloadRow } from './result.js';

type Columns = readonly Column<WorkloadRow>[];

const KEYS: Columns = [
  { head: 'format', align: 'left', cell: (row) => row.configuration },
  { head: 'case', align: 'left', cell: (row) => row.case },
];

const TIMES: Columns = [
  { head: 'avg usec', align: 'right', cell: (row) => count(row.avgUsec) },
  { head: 'ops/s', align: 'right', cell: (row) => count(row.operationsPerSecond) },
];

const COUNTS: Columns = [
  { head: 'tables read', align: 'right', cell: (row) => count(row.work.tablesRead) },
  { head: 'entries', align: 'right', cell: (row) => count(row.work.entriesWritten) },
  { head: 'flushes', align: 'right', cell: (row) => count(row.work.flushes) },
  { head: 'purges', align: 'right', cell: (row) => count(row.work.purges) },
  { head: 'lazy', align: 'right', cell: (row) => count(row.lazyPages) },
];

const LEGEND: readonly (readonly [string, string])[] = [
  [
    'avg usec',
    'mean time of a repetition; ops/s: calls in a second that allocate, free, map, unmap or resize',
  ],
  ['tables read', 'this and the columns after it are exact, over all repetitions; entries: entries written'],
  ['purges', 'purges that flushed; lazy: the most pages that waited for one, with guards'],
];

/** All columns. */
export const WORKLOAD_COLUMNS: Columns = [...KEYS, ...TIMES, ...COUNTS];

/** The result as text: the module's lines, and a table of all formats. */
export function workloadReport(result: WorkloadResult, io: Pick<Console, 'stdout' | 'env'>): string {
  const colours = coloursFor(io.stdout, io.env);
  const width = widthOf(io.stdout, io.env);
  const { rows, workers } = result;
  const out: string[] = [];
  const paragraph = (text: string, indent = ''): number => out.push(wrap(text, width, indent));

  paragraph(colours.bold('The cases of lib/test_vmalloc.c in each format'));
  paragraph(parametersLine(result), '  ');
  paragraph(`Machine: ${machineLine(result.machine)}`, '  ');
  out.push('');
  for (const { configuration, worker, ns } of workers) {
    out.push(colours.dim(configuration));
    // The module, too, prints cases in the order of their bits, whatever order they ran in.
    out.push(...byCase(rows.filter((row) => row.configuration === configuration)).map(summaryLine));
    out.push(`All test took worker${worker}=${ns} ns`, '');
  }
  out.push(...fittedTables(KEYS, [TIMES, COUNTS], byCase(rows), width).flatMap((table) => [table, '']));
  for (const [what, meaning] of LEGEND) paragraph(`${colours.dim(what)}  ${meaning}`, '    ');
  out.push('');
  paragraph(colours.green(proof(result)), '  ');
  for (const warning of result.warnings) paragraph(colours.yellow(`Warning: ${printable(warning)}`), '  ');
  return `${out.join('\n')}\n`;
}

/** What ran. */
export function parametersLine({ parameters: { release, cpus, seed } }: WorkloadResult): string {
  return `Behaviour of Linux ${release}, ${plural(cpus, 'processor')}, one worker, seed ${seed}, a new kernel for each case`;
}

/** What the run checked. */
export function proof({ rows }: WorkloadResult): string {
  const sum = (of: (row: WorkloadRow) => number): number => rows.reduce((total, row) => total + of(row), 0);
  const tables = sum(({ leakCheck }) => leakCheck.tables.peak - leakCheck.tables.before);
  const leaked = sum(({ leakCheck }) => leakCheck.tables.after - leakCheck.tables.before);
  return (
    `After each of ${plural(rows.length, 'case')}, no area was left and every page came back. ` +
    `${count(tables - leaked)} of ${plural(tables, 'table frame')} came back with the kernels.`
  );
}

/** The module's line for a case. */
function summaryLine(row: WorkloadRow): string {
  return (
    `Summary: ${row.case} passed: ${row.passed} failed: ${row.failed} xfailed: ${row.xfailed} ` +
    `repeat: ${row.repeat} loops: ${row.loops} avg: ${row.avgUsec} usec`
  );
}

/** Sorts rows by case, so that the formats of a case follow each other. */
export function byCase(rows: readonly WorkloadRow[]): WorkloadRow[] {
  return TEST_CASES.flatMap(({ name }) => rows.filter((row) => row.case === name));
}
