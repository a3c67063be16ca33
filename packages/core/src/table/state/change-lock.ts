import { VmError } from '../../errors.js';
import { readOnly, type TableContext } from './context.js';

/**
 * Runs a call that changes the tables. One call at a time.
 *
 * @throws VmError `EBUSY` from within a sink or callback of another call; `EPERM` when the root is in
 *   read-only memory; what the call throws.
 */
export function changeTables<R>(context: TableContext, call: (context: TableContext) => R): R {
  if (context.frames === null || !context.root.bank.writable) throw readOnly();
  if (context.isChanging) {
    throw new VmError('EBUSY', 'this page table is in the middle of a change', {
      advice: 'a flush sink or callback must not change the table that called it',
    });
  }
  context.isChanging = true;
  context.generation++;
  try {
    return call(context);
  } finally {
    context.isChanging = false;
    // A sink may have translated during the call.
    context.generation++;
  }
}
