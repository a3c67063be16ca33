import { type BadVmallocinfoLine, type ParsedVmallocinfoLine, parseVmallocinfo, VmError } from '@vmarea/core';
import { count } from '../parts/text.js';

/** Lines that were passed over. */
export interface SkippedLines {
  readonly lines: number;
  /** The first of them, at most 20. */
  readonly first: readonly Pick<BadVmallocinfoLine, 'line' | 'column' | 'message'>[];
}

/** Lines that were read, and those that were not. */
export interface ReadableLines {
  readonly lines: ParsedVmallocinfoLine[];
  readonly skipped: SkippedLines;
}

/** Most lines that are kept to be shown. */
const SHOWN = 20;
/** A text with more bad lines is something else. */
const MOST_BAD = 100_000;

/**
 * Reads the lines that can be read, and passes over the others.
 *
 * @param file - its name, for messages.
 * @throws VmError `EINVAL` when no line can be read, or more than 100,000 cannot.
 */
export function readSkippingBad(text: string, file: string): ReadableLines {
  const first: SkippedLines['first'][number][] = [];
  let bad = 0;
  const onBadLine = ({ line, column, message }: BadVmallocinfoLine): void => {
    if (++bad <= SHOWN) first.push({ line, column, message });
    if (bad <= MOST_BAD) return;
    throw new VmError(
      'EINVAL',
      `more than ${count(MOST_BAD)} lines cannot be read; the first: ${first[0]?.message}`,
    );
  };
  const lines = parseVmallocinfo(text, file, { onBadLine });
  if (lines.length === 0)
    throw new VmError(
      'EINVAL',
      `none of ${count(bad)} lines can be read; the first: ${first[0]?.message ?? 'there is none'}`,
    );
  return { lines, skipped: { lines: bad, first } };
}

/**
 * The function that asked for an area, without offset and module, or its address; empty when unknown.
 *
 * @param line - a line of /proc/vmallocinfo.
 */
export function functionOf({ info: { caller = '' } }: ParsedVmallocinfoLine): string {
  return caller.replace(/(\+0x[0-9a-f]+\/0x[0-9a-f]+)?( \[.*\])?$/i, '');
}
