import { CheckError } from '@vmarea/cli';
import type { Measured } from './job.js';
import type { SpeedRow } from './result.js';
import type { Entry } from './schedule.js';
import { type Timing, timingOf } from './timing.js';
import { bytesWritten } from './work.js';

/** The columns of the tables. */
export const COLUMNS = ['wasm', 'array', 'c'] as const;

/** One of the columns. */
export type ColumnName = (typeof COLUMNS)[number];

/** The measurements of all processes, by row and column, in the order of the passes. */
export class Samples {
  readonly #passes = new Map<string, Measured[]>();

  /** @param configuration - `null` for the C reference. */
  add(configuration: string | null, column: ColumnName, measured: readonly Measured[]): void {
    for (const one of measured) {
      const key = keyOf(configuration, one.workload, column);
      const passes = this.#passes.get(key);
      if (passes === undefined) this.#passes.set(key, [one]);
      else passes.push(one);
    }
  }

  /** The passes of a row and column; empty when it was not measured. */
  of(configuration: string | null, workload: string, column: ColumnName): readonly Measured[] {
    return this.#passes.get(keyOf(configuration, workload, column)) ?? [];
  }
}

/**
 * Makes the rows of the tables.
 *
 * @throws CheckError when checksums or exact work differ between columns with the same work.
 */
export function rowsOf(entries: readonly Entry[], samples: Samples): readonly SpeedRow[] {
  const known = new Map<string, { readonly who: string; readonly checksum: number }>();
  const rows: SpeedRow[] = [];
  for (const entry of entries) {
    const { configuration, workload } = entry;
    const variants = COLUMNS.map((column) =>
      samples.of(column === 'c' ? null : configuration.name, workload.id, column),
    );
    const [wasm = [], array = [], c = []] = variants;
    const own = [...wasm, ...array];
    checkWork(`${configuration.name}, ${workload.id}`, own);
    const isSameSize = c[0]?.units === entry.units;
    const isSameLeaf = isSameSize && entry.leafShift === C_SHIFTS[levelOf(entry)];
    if (isSameLeaf && hasTablesOfC(entry)) checkTables(`${configuration.name}, ${workload.id}`, own, c);
    for (const { checksum, loops } of [...own, ...(isSameLeaf ? c : [])]) {
      const key = `${workload.id} ${entry.units} ${entry.leafShift}`;
      const who = loops === 'c' ? 'the C reference' : `${configuration.name} (${loops})`;
      const first = known.get(key);
      if (first === undefined) known.set(key, { who, checksum });
      else if (first.checksum !== checksum) {
        throw new CheckError(
          `${workload.id}: checksum ${hex32(checksum)} of ${who}, ${hex32(first.checksum)} of ${first.who}`,
        );
      }
    }
    const first = own[0] ?? (isSameSize ? c[0] : undefined);
    if (first === undefined) continue;
    const sameResult = COLUMNS.filter((_, i) => (variants[i] ?? []).length > 0).filter(
      (column) => column !== 'c' || isSameLeaf,
    );
    rows.push({ ...rowOf(entry, first, wasm, array, isSameSize ? c : []), sameResult });
  }
  return rows;
}

/** log2 of the bytes that an entry of the C reference translates, from the last level up. */
const C_SHIFTS = [12, 21, 30, 39];

/** True when a format has the levels and table sizes of the C reference. */
function hasTablesOfC({ configuration: { format } }: Entry): boolean {
  const shifts = format.levels.map(({ shift }) => shift);
  return format.pageShift === C_SHIFTS[0] && shifts.toReversed().join() === C_SHIFTS.join();
}

function checkTables(who: string, own: readonly Measured[], c: readonly Measured[]): void {
  for (const { tables } of own) {
    const other = c.find((one) => one.tables !== tables);
    if (other === undefined) continue;
    throw new CheckError(`${who}: ${tables} tables were allocated, and ${other.tables} by the C reference`);
  }
}

/** The number of levels from the last one up to that of the leaves. */
function levelOf({ configuration: { format }, leafShift }: Entry): number {
  return format.levels.toReversed().findIndex(({ shift }) => shift === leafShift);
}

function rowOf(
  { configuration: { name, title, format }, workload, units, leafShift, rounds }: Entry,
  first: Measured,
  wasm: readonly Measured[],
  array: readonly Measured[],
  c: readonly Measured[],
): Omit<SpeedRow, 'sameResult'> {
  const pageBytes = 2 ** format.pageShift;
  const timing = (passes: readonly Measured[]): Timing | null =>
    passes.length === 0 ? null : timingOf(passes);
  const timings = { wasm: timing(wasm), array: timing(array), c: timing(c) };
  const ratio = (one: Timing | null): number | null =>
    one === null || timings.c === null || timings.c.median === 0
      ? null
      : Math.round((one.median / timings.c.median) * 1000) / 1000;
  return {
    configuration: name,
    title,
    pageBytes,
    levels: format.levels.length,
    workload: workload.id,
    description: workload.description,
    unit: workload.unit,
    units,
    leafBytes: 2 ** leafShift,
    ...rounds,
    ...timings,
    ratio: { wasm: ratio(timings.wasm), array: ratio(timings.array) },
    work: first.work === null ? null : { ...first.work, bytesWritten: bytesWritten(first.work, pageBytes) },
    checksum: first.checksum,
  };
}

function checkWork(who: string, all: readonly Measured[]): void {
  const exact = ({ work }: Measured): string => JSON.stringify(work);
  const [first] = all;
  for (const one of all) {
    if (first !== undefined && exact(one) !== exact(first)) {
      throw new CheckError(`${who}: columns did different work: ${exact(first)} and ${exact(one)}`);
    }
  }
}

function keyOf(configuration: string | null, workload: string, column: ColumnName): string {
  return JSON.stringify([configuration, workload, column]);
}

/** A checksum in hexadecimal. */
function hex32(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
