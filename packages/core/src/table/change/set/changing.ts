import type { PageRange } from '../../page-range.js';
import type { TableContext } from '../../state/context.js';
import type { OwedFlushes } from '../../state/flush-batch.js';
import { sharedCalls } from '../shared-calls.js';
import { ChangeSet } from './change-set.js';

/** Runs one call. Its changes are committed, or undone when it throws. */
export function changing<R>(
  context: TableContext,
  range: PageRange,
  batch: OwedFlushes | null,
  call: (changes: ChangeSet) => R,
): R {
  context.sink?.changing?.();
  const changes = sharedCalls(context)?.changeSet(context) ?? new ChangeSet(context);
  try {
    const result = call(changes);
    changes.commit(batch);
    return result;
  } catch (error) {
    changes.rollBack(range);
    throw error;
  }
}
