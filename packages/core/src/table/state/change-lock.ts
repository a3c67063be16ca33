import { VmError } from '../../errors.js';
import { readOnly, type TableContext } from './context.js';

/**
 * Runs a call that changes the tables. One call at a time.
 *
 * @param isAlone - the call splits, joins or frees tables. On tables that threads share, it then runs while no
 *   other thread changes any. Others run together.
 * @throws VmError `EBUSY` from within a sink or callback of another call; `EPERM` when the root is in
 *   read-only memory; what the call throws; on shared tables `EOWNERDEAD` when a thread died in such a call.
 */
export function changeTables<R>(
  context: TableContext,
  call: (context: TableContext) => R,
  isAlone: boolean = false,
): R {
  if (context.frames === null || !context.root.bank.writable) throw readOnly();
  if (context.isChanging) {
    throw new VmError('EBUSY', 'this page table is in the middle of a change', {
      advice: 'a flush sink or callback must not change the table that called it',
    });
  }
  return context.sharing === null
    ? change(context, call)
    : context.sharing.run(context, isAlone, () => change(context, call));
}

function change<R>(context: TableContext, call: (context: TableContext) => R): R {
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
