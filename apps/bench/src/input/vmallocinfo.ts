import { type ParsedVmallocinfoLine, parseVmallocinfo } from '@vmarea/core';
import { refusingInput } from './refusals.js';

/**
 * Reads the text of a whole /proc/vmallocinfo.
 *
 * @param file - its name, for errors.
 * @throws UsageError with file, line, column and what was expected there.
 */
export function readVmallocinfo(text: string, file: string): ParsedVmallocinfoLine[] {
  return refusingInput(() => parseVmallocinfo(text, file));
}
