import { VmError } from '@vmarea/core';

/** The VmError that a call throws. Fails when it throws none; other errors pass through. */
export function refusal(call: () => unknown): VmError {
  const error = caught(call);
  if (error === null) throw new Error('the call was not refused');
  return error;
}

/** The code of the VmError that a call throws, `none` when it throws none. Other errors pass through. */
export function codeOf(call: () => unknown): string {
  return caught(call)?.code ?? 'none';
}

/** The message of the VmError that a call throws, `none` when it throws none. Other errors pass through. */
export function thrown(call: () => unknown): string {
  return caught(call)?.message ?? 'none';
}

function caught(call: () => unknown): VmError | null {
  try {
    call();
  } catch (error) {
    if (error instanceof VmError) return error;
    throw error;
  }
  return null;
}
