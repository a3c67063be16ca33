import { VmError } from '@vmarea/core';

/** The message of the VmError that a call throws, `none` when it throws none. Other errors pass through. */
export function thrown(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof VmError) return error.message;
    throw error;
  }
  return 'none';
}
