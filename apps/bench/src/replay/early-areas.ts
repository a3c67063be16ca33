import { printable } from '@vmarea/core';
import { UsageError } from '../errors.js';
import { functionOf } from '../input/vmallocinfo.js';
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

/** Callers of vm_area_add_early: the kernel's own image on arm64. No row gives their areas. */
const EARLY_CALLERS: readonly string[] = ['paging_init', 'map_kernel', 'declare_kernel_vmas'];

/**
 * Areas from before the first row, by address: those of the start state that no row gives. They are the kernel's own image, and what was
 * reserved before the recorder ran, such as the first per-cpu chunk.
 *
 * A row whose answer is damaged gives an address that nothing else knows. It stands for an area of its size, which is no early one then.
 *
 * @returns `null` when the start state is missing.
 * @throws UsageError when the start state is damaged, or its areas overlap.
 */
export function earlyOf(trace: Trace): Early | null {
  const ranges = rangesOf(trace, START_FILE);
  if (ranges === null) return null;
  const end = endAreas(trace);
  const rows = givenBy(trace);
  const areas = ranges.filter(({ line }) => line.type !== 'unpurged');
  const lost = lostAnswers(rows, new Set(areas.map(({ start }) => start)), end);
  const early = areas.filter((range) => {
    if (EARLY_CALLERS.includes(functionOf(range.line))) return true;
    if (rows.first.get(range.start) === 'given') return false;
    // It lives to the end, or a row frees it. Otherwise, the recording has another name for it.
    if (end !== null && !end.has(range.start) && !rows.first.has(range.start)) return false;
    return !takeOne(lost, range.end - range.start);
  });
  const [chunks, others] = [early.filter(isChunk), early.filter((range) => !isChunk(range))];
  inOrder(early);
  return { areas: inOrder(others), chunks: inOrder(chunks) };
}

/** Areas from before the first request, by address; none when the start state is missing. */
export function earlyAreas(trace: Trace): readonly EarlyArea[] {
  return earlyOf(trace)?.areas ?? [];
}

function isChunk({ line }: Range): boolean {
  return functionOf(line) === CHUNKS;
}

interface Given {
  /** What the first row of an address does with it. */
  readonly first: ReadonlyMap<number, 'given' | 'freed'>;
  readonly freed: ReadonlySet<number>;
  /** Pages of the areas that rows give, by first page. */
  readonly sizes: ReadonlyMap<number, number>;
}

function givenBy({ rows }: Trace): Given {
  const first = new Map<number, 'given' | 'freed'>();
  const freed = new Set<number>();
  const sizes = new Map<number, number>();
  const asked = new Map<string, { readonly offsets: readonly number[]; readonly sizes: readonly number[] }>();
  const give = (start: number, size: number): void => {
    if (!first.has(start)) first.set(start, 'given');
    sizes.set(start, size);
  };
  for (const { thread, event } of rows) {
    if (event.type === 'allocation' && event.start !== null) give(event.start, event.size);
    else if (event.type === 'percpu entered') asked.set(thread, event);
    else if (event.type === 'percpu done' && event.start !== null) {
      const { offsets = [0], sizes = [0] } = asked.get(thread) ?? {};
      for (const [i, offset] of offsets.entries())
        give(event.start + offset - (offsets[0] as number), sizes[i] as number);
    } else if (event.type === 'free') {
      freed.add(event.start);
      if (!first.has(event.start)) first.set(event.start, 'freed');
    }
  }
  return { first, freed, sizes };
}

/** The first pages of the areas at the end; `null` when the end state is missing or damaged. */
export function endAreas(trace: Trace): Set<number> | null {
  try {
    const ranges = rangesOf(trace, END_FILE);
    return ranges === null
      ? null
      : new Set(ranges.filter(({ line }) => line.type !== 'unpurged').map(({ start }) => start));
  } catch (error) {
    // The comparison at the end tells of it.
    if (error instanceof UsageError) return null;
    throw error;
  }
}

/** The number of answers whose address no other row and no state has, by their pages. */
function lostAnswers(
  { freed, sizes }: Given,
  start: ReadonlySet<number>,
  end: ReadonlySet<number> | null,
): Map<number, number> {
  const lost = new Map<number, number>();
  if (end === null) return lost;
  for (const [page, size] of sizes)
    if (!freed.has(page) && !start.has(page) && !end.has(page)) lost.set(size, (lost.get(size) ?? 0) + 1);
  return lost;
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
