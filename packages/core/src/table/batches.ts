import type { Controls } from '../format/access.js';
import type { PageTable } from './page-table.js';
import { readOnly } from './state/context.js';
import { type FlushBatch, OwedFlushes } from './state/flush-batch.js';
import { contextOf } from './state/registry.js';

/**
 * Makes a batch. A call that is given the batch leaves its flush to it:
 * `table.unmap(va, bytes, { batch })`.
 *
 * @param table - whose calls may leave their flushes to it.
 * @throws VmError `EINVAL` when the table was destroyed; `EPERM` for a `PageTableReader`.
 * @example
 * ```ts
 * const batch = flushBatch(table);
 * table.unmap(0xffffc90000000000n, 4096, { batch });
 * table.unmap(0xffffc90000001000n, 4096, { batch });
 * batch.done(); // one flush
 * ```
 */
export function flushBatch<C extends Controls>(table: PageTable<C>): FlushBatch {
  const context = contextOf(table);
  if (context.frames === null) throw readOnly();
  const batch = new OwedFlushes(context);
  context.batches.add(batch);
  return batch;
}
