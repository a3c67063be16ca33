import type { ParsedVmallocinfoLine } from '@vmarea/core';
import { readVmallocinfo } from '../input/vmallocinfo.js';
import { pageOf, type Trace, traceFile } from './trace.js';

/** A line of a recorded /proc/vmallocinfo, in pages. */
export interface Range {
  /** First page. */
  readonly start: number;
  /** The page after the last one. */
  readonly end: number;
  readonly line: ParsedVmallocinfoLine;
}

/**
 * The ranges of a recorded state; `null` when its file is missing.
 *
 * @throws UsageError when the file cannot be unpacked or read.
 */
export function rangesOf(trace: Trace, file: string): Range[] | null {
  const text = traceFile(trace, file);
  if (text === null) return null;
  const page = (address: bigint): number => pageOf(address, trace.pageShift);
  return readVmallocinfo(text, file).flatMap((line) =>
    line.start === null || line.end === null ? [] : [{ start: page(line.start), end: page(line.end), line }],
  );
}
