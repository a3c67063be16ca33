import type { Column } from '@vmarea/cli';
import { count, decimal } from '@vmarea/cli';
import type { ComparedRow, SpeedRow } from './result.js';
import type { Timing } from './timing.js';

/** The cell of a value that was not or cannot be measured. */
const NOT_AVAILABLE = 'n/a';

/** Nanoseconds with about three digits. */
function nsText(value: number | undefined): string {
  if (value === undefined) return NOT_AVAILABLE;
  return decimal(value, value < 1 ? 3 : value < 10 ? 2 : 1);
}

function ratioText(value: number | null): string {
  return value === null ? NOT_AVAILABLE : decimal(value, 2);
}

const ns =
  (column: 'wasm' | 'array' | 'c', pick: (timing: Timing) => number = ({ median }) => median) =>
  (row: SpeedRow): string => {
    const timing = row[column];
    return nsText(timing === null ? undefined : pick(timing));
  };

/** The column that names a row. */
export const KEYS: readonly Column<SpeedRow>[] = [
  { head: 'workload', align: 'left', cell: ({ workload }) => workload },
];

/** Times, and their ratios to C. */
export const TIMES: readonly Column<SpeedRow>[] = [
  { head: 'wasm ns', align: 'right', cell: ns('wasm') },
  { head: 'array ns', align: 'right', cell: ns('array') },
  { head: 'C ns', align: 'right', cell: ns('c') },
  { head: 'wasm/C', align: 'right', cell: ({ ratio }) => ratioText(ratio.wasm) },
  { head: 'array/C', align: 'right', cell: ({ ratio }) => ratioText(ratio.array) },
];

/** How much rounds differ. */
export const SPREAD: readonly Column<SpeedRow>[] = [
  { head: 'wasm min', align: 'right', cell: ns('wasm', ({ min }) => min) },
  { head: 'wasm MAD', align: 'right', cell: ns('wasm', ({ mad }) => mad) },
  { head: 'array min', align: 'right', cell: ns('array', ({ min }) => min) },
  { head: 'array MAD', align: 'right', cell: ns('array', ({ mad }) => mad) },
  { head: 'C min', align: 'right', cell: ns('c', ({ min }) => min) },
  { head: 'C MAD', align: 'right', cell: ns('c', ({ mad }) => mad) },
];

/** The columns whose results are the same. */
export const AGREEMENT: readonly Column<SpeedRow>[] = [
  {
    head: 'same result',
    align: 'left',
    cell: ({ sameResult }) => sameResult.map((column) => (column === 'c' ? 'C' : column)).join(' = '),
  },
];

/** The exact work. */
export const WORK: readonly Column<SpeedRow>[] = [
  { head: 'units', align: 'right', cell: ({ units }) => count(units) },
  {
    head: 'entries written',
    align: 'right',
    cell: ({ work }) => (work === null ? NOT_AVAILABLE : count(work.entriesWritten)),
  },
  {
    head: 'bytes written',
    align: 'right',
    cell: ({ work }) => (work === null ? NOT_AVAILABLE : count(work.bytesWritten)),
  },
];

/** A change in percent, with its sign. */
function percent(value: number): string {
  return `${value > 0 ? '+' : ''}${decimal(100 * value, 1)} %`;
}

/** The comparison with an earlier result. */
export const COMPARED: readonly Column<ComparedRow>[] = [
  { head: 'format', align: 'left', cell: ({ configuration }) => configuration },
  { head: 'workload', align: 'left', cell: ({ workload }) => workload },
  { head: 'variant', align: 'left', cell: ({ variant }) => variant },
  { head: 'of', align: 'left', cell: ({ measure }) => (measure === 'ratio' ? 'x C' : 'ns') },
  { head: 'before', align: 'right', cell: ({ before }) => nsText(before) },
  { head: 'now', align: 'right', cell: ({ after }) => nsText(after) },
  { head: 'change', align: 'right', cell: ({ change }) => percent(change) },
  { head: 'noise', align: 'right', cell: ({ noise }) => `±${decimal(100 * noise, 1)} %` },
  { head: 'verdict', align: 'left', cell: ({ verdict }) => verdict },
];
