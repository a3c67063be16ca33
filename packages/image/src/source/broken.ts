import { VmError } from '@vmarea/core';

/** An offset in a file, for messages. */
export function at(offset: number): string {
  return `0x${offset.toString(16)}`;
}

/**
 * The error of a file that is not what it says.
 *
 * @param offset - in bytes, where it is wrong.
 * @param found - what is there, and what was expected.
 */
export function broken(offset: number, found: string, advice?: string): VmError {
  return new VmError(
    'EINVAL',
    `byte ${at(offset)} of the file: ${found}`,
    advice === undefined ? {} : { advice },
  );
}

/** The error of bytes that the file should have, but that lie behind its end. */
export function cut(offset: number, length: number, size: number, what: string): VmError {
  return new VmError(
    'EINVAL',
    `the file ends at byte ${at(size)}, but ${what} ${length === 1 ? 'is' : 'needs'} ${length} bytes from byte ${at(offset)} on`,
    { advice: 'is it truncated?' },
  );
}

/** A value that a caller passed by mistake, for a message. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60));
  if (typeof value === 'bigint') return `${value}n`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
