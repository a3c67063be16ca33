import { RANGE_KINDS, type RangeColumns, type RangeView } from './calls.js';

/** Reads some rows of columns: those from `first` on, fewer at their end. */
export function rangesAt(columns: RangeColumns, first: number, count: number): RangeView[] {
  const number = Math.max(0, Math.min(count, columns.va.length - first));
  return Array.from({ length: number }, (_, i) => rangeAt(columns, first + i));
}

function rangeAt(columns: RangeColumns, i: number): RangeView {
  return {
    kind: RANGE_KINDS[columns.kinds[i] as number] as RangeView['kind'],
    va: columns.va[i] as bigint,
    bytes: columns.bytes[i] as bigint,
    pa: columns.pa[i] as bigint,
    leafBytes: 2 ** (columns.shifts[i] as number),
    marks: columns.marks[i] as number,
    memory: columns.memoryNames[columns.memories[i] as number] ?? null,
    region: columns.regionNames[columns.regions[i] as number] ?? null,
  };
}
