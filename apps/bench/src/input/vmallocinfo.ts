import { count, UsageError } from '@vmarea/cli';
import { type BadVmallocinfoLine, type ParsedVmallocinfoLine, parseVmallocinfo, VmError } from '@vmarea/core';

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
 * Reads the text of a whole /proc/vmallocinfo.
 *
 * @param file - its name, for errors.
 * @throws UsageError with file, line, column and what was expected there.
 */
export function readVmallocinfo(text: string, file: string): ParsedVmallocinfoLine[] {
  try {
    return parseVmallocinfo(text, file);
  } catch (error) {
    if (error instanceof VmError) throw new UsageError(error.message.replace(/^EINVAL: /, ''));
    throw error;
  }
}

/**
 * Reads the lines that can be read, and passes over the others.
 *
 * @param file - its name, for messages.
 * @throws UsageError when no line can be read, or more than 100,000 cannot.
 */
export function readSkippingBad(text: string, file: string): ReadableLines {
  const first: SkippedLines['first'][number][] = [];
  let bad = 0;
  const onBadLine = ({ line, column, message }: BadVmallocinfoLine): void => {
    if (++bad <= SHOWN) first.push({ line, column, message });
    if (bad <= MOST_BAD) return;
    throw new UsageError(
      `more than ${count(MOST_BAD)} lines cannot be read; the first: ${first[0]?.message}`,
    );
  };
  const lines = parseVmallocinfo(text, file, { onBadLine });
  if (lines.length === 0)
    throw new UsageError(`none of ${count(bad)} lines can be read; the first: ${first[0]?.message}`);
  return { lines, skipped: { lines: bad, first } };
}

/** The function that asked for an area, without offset and module, or its address; empty when unknown. */
export function functionOf({ info: { caller = '' } }: ParsedVmallocinfoLine): string {
  return caller.replace(/(\+0x[0-9a-f]+\/0x[0-9a-f]+)?( \[.*\])?$/i, '');
}
