import { UsageError } from '@vmarea/cli';
import { VmError } from '@vmarea/core';

/**
 * Reads input by a library, whose refusals are about the input.
 *
 * @throws UsageError for a `VmError` `EINVAL`, without its code.
 */
export function refusingInput<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof VmError && error.code === 'EINVAL')
      throw new UsageError(error.message.replace(/^EINVAL: /, ''));
    throw error;
  }
}
