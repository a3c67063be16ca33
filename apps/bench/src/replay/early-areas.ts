import { UsageError } from '@vmarea/cli';
import { functionOf } from '@vmarea/compare';
import { printable } from '@vmarea/core';
import { type Range, rangesOf } from './ranges.js';
import type { Trace } from './trace.js';

/** The state at the start, from which a replay knows the areas that no row gave. */
export const START_FILE = 'vmallocinfo-start.txt.gz';
/** The state at the end. */
export const END_FILE = 'vmallocinfo-end.txt.gz';

/** An area that exists before the first row. */
export interface EarlyArea {
  /** First page. */
  readonly start: number;
  /** Pages. */
  readonly size: number;
}

/** What exists before the first row. */
export interface Early {
  /** Areas, by address. */
  readonly areas: readonly EarlyArea[];
  /** Chunks of per-cpu memory, by address. Linux makes them after the first request, and before the recorder's probes start. */
  readonly chunks: readonly EarlyArea[];
}

/** The caller of chunks of per-cpu memory. */
const CHUNKS = 'pcpu_get_vm_areas';

/**
 * Callers of vm_area_register_early and vm_area_add_early: the kernel's own image on arm64, fixed maps on arm. No row gives their areas.
 *
 * Source: Linux, arch/arm64/mm/mmu.c (6.12 inlines declare_kernel_vmas), arch/arm/mm/mmu.c.
 */
const EARLY_CALLERS: readonly string[] = [
  ...['paging_init', 'map_kernel', 'declare_kernel_vmas', 'declare_vma'],
  ...['iotable_init', 'debug_ll_io_init'],
];

/**
 * What exists before the first row: areas of the start state that no row gives.
 *
 * @returns `null` when the start state is missing.
 * @throws UsageError when the start state is damaged, or its areas overlap.
 */
export function earlyOf(trace: Trace): Early | null {
  const ranges = rangesOf(trace, START_FILE);
  if (ranges === null) return null;
  const areas = ranges.filter(({ line }) => line.type !== 'unpurged');
  const others = areas.filter(({ line }) => EARLY_CALLERS.includes(functionOf(line)));
  const chunks = earlyChunks(
    trace,
    areas.filter(({ line }) => functionOf(line) === CHUNKS),
    new Set(areas.map(({ start }) => start)),
  );
  inOrder([...others, ...chunks]);
  return { areas: inOrder(others), chunks: inOrder(chunks) };
}

/**
 * The chunks of the start state that no row gives.
 *
 * A row whose address is damaged gives a chunk that the start state lacks. It stands for one of its size, which is no early one then.
 *
 * @param starts - first pages of all areas of the start state.
 */
function earlyChunks(trace: Trace, chunks: readonly Range[], starts: ReadonlySet<number>): Range[] {
  const { given, first } = givenBy(trace);
  // The start state was taken after this row.
  let moment = -1;
  for (const start of starts) moment = Math.max(moment, first.get(start) ?? -1);
  const damaged = new Map<number, number>();
  for (const { row, start, size, freed } of given)
    if (row <= moment && freed > moment && !starts.has(start))
      damaged.set(size, (damaged.get(size) ?? 0) + 1);
  return chunks
    .filter(({ start }) => !first.has(start) || (first.get(start) as number) > moment)
    .filter(({ start, end }) => !takeOne(damaged, end - start));
}

interface GivenChunk {
  readonly row: number;
  readonly start: number;
  readonly size: number;
  /** The number of the row that frees it; infinite for none. */
  freed: number;
}

/** Chunks that rows give, and for every address the first row that gives it before any row frees it. */
function givenBy({ rows }: Trace): { given: readonly GivenChunk[]; first: ReadonlyMap<number, number> } {
  const given: GivenChunk[] = [];
  const live = new Map<number, GivenChunk>();
  const first = new Map<number, number>();
  const freed = new Set<number>();
  const asked = new Map<string, { readonly offsets: readonly number[]; readonly sizes: readonly number[] }>();
  const give = (row: number, start: number): void => {
    if (!first.has(start) && !freed.has(start)) first.set(start, row);
  };
  for (const [row, { thread, event }] of rows.entries()) {
    if (event.type === 'allocation' && event.start !== null) give(row, event.start);
    else if (event.type === 'percpu entered') asked.set(thread, event);
    else if (event.type === 'percpu done' && event.start !== null) {
      const { offsets = [0], sizes = [0] } = asked.get(thread) ?? {};
      for (const [i, offset] of offsets.entries()) {
        const start = event.start + offset - (offsets[0] as number);
        const chunk = { row, start, size: sizes[i] as number, freed: Number.POSITIVE_INFINITY };
        give(row, start);
        given.push(chunk);
        live.set(start, chunk);
      }
    } else if (event.type === 'free') {
      freed.add(event.start);
      const chunk = live.get(event.start);
      if (chunk !== undefined) chunk.freed = row;
      live.delete(event.start);
    }
  }
  return { given, first };
}

/** Areas from before the first request, by address; none when the start state is missing. */
export function earlyAreas(trace: Trace): readonly EarlyArea[] {
  return earlyOf(trace)?.areas ?? [];
}

/** The pages of the areas at the end, by first page; `null` when the end state is missing or damaged, or not that of the last row. */
export function endAreas(trace: Trace): Map<number, number> | null {
  if (trace.isCut === true) return null;
  try {
    const ranges = rangesOf(trace, END_FILE);
    if (ranges === null) return null;
    const areas = ranges.filter(({ line }) => line.type !== 'unpurged');
    return new Map(areas.map(({ start, end }) => [start, end - start]));
  } catch (error) {
    // The comparison at the end tells of it.
    if (error instanceof UsageError) return null;
    throw error;
  }
}

function takeOne(numbers: Map<number, number>, key: number): boolean {
  const number = numbers.get(key) ?? 0;
  if (number > 0) numbers.set(key, number - 1);
  return number > 0;
}

function inOrder(ranges: readonly Range[]): EarlyArea[] {
  const sorted = [...ranges].sort((a, b) => a.start - b.start);
  for (const [i, { start, end, line }] of sorted.entries()) {
    const before = sorted[i - 1];
    const isWhole = Number.isInteger(start) && Number.isInteger(end) && start < end;
    if (isWhole && (before === undefined || before.end <= start)) continue;
    const address = `0x${(line.start ?? 0n).toString(16)}`;
    throw new UsageError(
      `${printable(START_FILE)}: the area at ${address} ${isWhole ? 'overlaps the one before it' : 'is not of whole pages'}; take the start state again`,
    );
  }
  return sorted.map(({ start, end }) => ({ start, size: end - start }));
}
