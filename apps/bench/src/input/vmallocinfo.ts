import { type ParsedVmallocinfoLine, parseVmallocinfo, VmError } from '@vmarea/core';
import { UsageError } from '../errors.js';

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

/** The function that asked for an area, without offset and module, or its address; empty when unknown. */
export function functionOf({ info: { caller = '' } }: ParsedVmallocinfoLine): string {
  return caller.replace(/(\+0x[0-9a-f]+\/0x[0-9a-f]+)?( \[.*\])?$/i, '');
}
