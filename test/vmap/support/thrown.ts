import { VmError } from '@vmarea/core';

/** The code of the VmError that a call throws; `none` when it throws none. Other errors pass through. */
export function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof VmError) return error.code;
    throw error;
  }
  return 'none';
}
