import { relative } from 'node:path';
import {
  type Column,
  type Console,
  coloursFor,
  count,
  decimal,
  plural,
  textTable,
  widthOf,
  wrap,
} from '@vmarea/cli';
import { hex, type PageTableFormat, printable } from '@vmarea/core';
import type { Case } from './case-file.js';
import { ACCESSES } from './guest/layout.js';
import type { BatchResult } from './judge.js';
import type { MmuResult, MmuRow, PlantRow } from './result.js';
import { mmuDifferencesOf, outcomeText, wordLine } from './run-case.js';
import type { Deviation } from './target.js';

const COLUMNS: readonly Column<MmuRow>[] = [
  { head: 'configuration', align: 'left', cell: (row) => row.configuration },
  { head: 'addresses', align: 'right', cell: (row) => count(row.addresses) },
  { head: 'accesses', align: 'right', cell: (row) => count(row.accesses) },
  { head: 'done', align: 'right', cell: (row) => share(sum(row.outcomes.done ?? {}), row.accesses) },
  { head: 'unplaced', align: 'right', cell: (row) => count(row.unplaced) },
  { head: 'A/D set', align: 'right', cell: (row) => count(row.entriesTouched) },
  { head: 'known', align: 'right', cell: (row) => count(sum(row.deviations)) },
  { head: 'left out', align: 'right', cell: (row) => count(sum(row.leftOut)) },
  { head: 'differences', align: 'right', cell: (row) => count(row.differences) },
  { head: 'by Mmu', align: 'right', cell: (row) => count(row.mmuDifferences) },
  { head: 's', align: 'right', cell: (row) => decimal(row.seconds, 1) },
];

const PLANT_COLUMNS: readonly Column<PlantRow>[] = [
  { head: 'configuration', align: 'left', cell: (row) => row.configuration },
  { head: 'planted fault', align: 'left', cell: (row) => row.plant },
  {
    head: 'batches',
    align: 'right',
    cell: (row) => (row.batches === null ? 'not found' : count(row.batches)),
  },
  {
    head: 'its case file',
    align: 'left',
    cell: (row) => (row.isConfirmed ? 'differs with the fault, agrees without' : 'does not show it'),
  },
  { head: 'by Mmu', align: 'left', cell: (row) => (row.isSeenByMmu ? 'found' : 'not found') },
];

const LEGEND: readonly (readonly [string, string])[] = [
  [
    'accesses',
    'loads, stores and fetches by kernel and user, and AT instructions on arm64; model and MMU make each',
  ],
  ['done', 'accesses that reached memory; the others faulted, and model and MMU must agree on the fault'],
  [
    'unplaced',
    'accesses of these to addresses without memory: nothing shows the address, so it is not compared',
  ],
  ['A/D set', 'entries in which the MMU set accessed or dirty bits; all bits of all tables are compared'],
  [
    'by Mmu',
    'differences of the same accesses through Mmu of @vmarea/mmu: its outcomes, and the bits that it sets',
  ],
  [
    'known',
    'accesses compared with a known deviation of this QEMU from the manual; left out: not made because of one',
  ],
];

/** The result as text. */
export function mmuReport(
  result: MmuResult,
  deviations: readonly Deviation[],
  io: Pick<Console, 'stdout' | 'env' | 'cwd'>,
): string {
  const colours = coloursFor(io.stdout, io.env);
  const width = widthOf(io.stdout, io.env);
  const out: string[] = [];
  const paragraph = (text: string, indent = ''): number => out.push(wrap(text, width, indent));
  if (result.rows.length > 0) {
    const machines = [...new Set(result.rows.map(({ qemu }) => qemu))].join(', ');
    paragraph(colours.bold(`The formats compared with the MMU of ${machines}`));
    paragraph(
      `Seed ${result.seed}. Calls build a third of the tables; the others have random entries, legal or not.`,
      '  ',
    );
    out.push('', textTable(COLUMNS, result.rows), '');
    for (const [what, meaning] of LEGEND) paragraph(`${colours.dim(what)}  ${meaning}`, '    ');
    out.push('', ...deviationLines(result, deviations).map((line) => wrap(line, width, '    ')));
  }
  if (result.plants.length > 0) {
    paragraph(colours.bold('Faults planted in the formats'));
    out.push('', textTable(PLANT_COLUMNS, result.plants), '');
  }
  for (const { file, line } of [...result.rows.flatMap(({ cases }) => cases), ...result.plants])
    if (file !== null && line !== null) paragraph(`${printable(relative(io.cwd, file))}: ${line}`, '    ');
  for (const [why, names] of byReason(result.skipped))
    paragraph(colours.yellow(`Skipped ${names.join(', ')}: ${why}`), '  ');
  for (const warning of result.warnings) paragraph(colours.yellow(`Warning: ${printable(warning)}`), '  ');
  if (result.rows.length > 0) paragraph(verdict(result, colours));
  else if (result.plants.length === 0) paragraph('No format was compared with an MMU.');
  return `${out.join('\n')}\n`;
}

function verdict({ rows }: MmuResult, colours: ReturnType<typeof coloursFor>): string {
  const total = (of: (row: MmuRow) => number): number => rows.reduce((all, row) => all + of(row), 0);
  const differences = total((row) => row.differences);
  const byMmu = total((row) => row.mmuDifferences);
  const text =
    `${plural(
      total((row) => row.addresses),
      'address',
      'addresses',
    )}, ` +
    `${plural(
      total((row) => row.accesses),
      'access',
      'accesses',
    )} in ${decimal(
      total((row) => row.seconds),
      0,
    )} s: ` +
    `${plural(differences, 'difference')}, ${count(byMmu)} by Mmu`;
  return differences + byMmu === 0 ? colours.green(text) : colours.red(text);
}

/** The deviations that occurred, with a description. */
function deviationLines({ rows }: MmuResult, deviations: readonly Deviation[]): string[] {
  return deviations.flatMap(({ name, about }) => {
    const met = rows.reduce((all, row) => all + (row.deviations[name] ?? 0) + (row.leftOut[name] ?? 0), 0);
    return met === 0 ? [] : [`${name} (${plural(met, 'access', 'accesses')}): ${about}.`];
  });
}

/** The skipped configurations, by reason. */
function byReason(skipped: MmuResult['skipped']): Map<string, string[]> {
  const reasons = new Map<string, string[]>();
  for (const { configuration, why } of skipped)
    reasons.set(why, [...(reasons.get(why) ?? []), configuration]);
  return reasons;
}

function share(part: number, whole: number): string {
  return whole === 0 ? '–' : `${decimal((100 * part) / whole, 0)}%`;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((all, one) => all + one, 0);
}

/** The outcome of each access of a case, and the walks of its addresses. */
export function caseReport(
  one: Case,
  result: BatchResult,
  format: PageTableFormat,
  io: Pick<Console, 'stdout' | 'env'>,
): string {
  const { judged, wrongWords } = result;
  const colours = coloursFor(io.stdout, io.env);
  const settings = Object.entries(one.settings).map(([name, value]) => `${name} ${value}`);
  const out = [
    colours.bold(one.configuration),
    wrap(settings.join(', '), widthOf(io.stdout, io.env), '  '),
    '',
  ];
  let shown: bigint | null = null;
  for (const { va, access, expected, observed, agrees } of judged) {
    if (va !== shown) {
      out.push(`${hex(va)}  root ${hex(one.root)}`);
      for (const { name, index, entry, kind } of expected.walk.steps)
        out.push(`    ${name}[${index}] ${hex(entry)} ${kind}`);
      shown = va;
    }
    const what = `${ACCESSES[access]?.name}: ${outcomeText(expected.outcome)}`;
    out.push(agrees ? `  ${what}` : colours.red(`  ${what}, but the MMU: ${outcomeText(observed)}`));
  }
  for (const word of wrongWords) out.push(colours.red(`  ${wordLine(word)}`));
  const byMmu = mmuDifferencesOf(result);
  for (const line of byMmu) out.push(colours.red(`  ${line}`));
  const differ = wrongWords.length > 0 || judged.some(({ agrees }) => !agrees);
  out.push(
    '',
    `${format.name}: ${differ ? 'model and MMU differ' : 'model and MMU agree'}${byMmu.length > 0 ? ', and Mmu differs' : ''}`,
  );
  return `${out.join('\n')}\n`;
}
