import { isCallable } from './function.js';
import { wrongValue } from './members.js';

/**
 * Checks who is told of flushes.
 *
 * @throws VmError `EINVAL` for anything but `undefined` and an object with a function `flush`.
 */
export function checkSink(sink: unknown): void {
  if (sink === undefined) return;
  if (!isCallable((sink as { flush?: unknown } | null)?.flush))
    throw wrongValue('sink', sink, 'an object with a function flush');
}
