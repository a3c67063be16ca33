import { VmError } from '../../errors.js';
import { addressOf, type PageRange } from '../page-range.js';
import type { TableContext } from './context.js';

/**
 * Flushes a range of pages through the sink. A range that crosses the hole between canonical halves takes
 * two calls.
 *
 * @param first - page index.
 * @param pages - number of pages.
 * @param isForAll - threads that share the table are asked, too.
 */
export function flush(
  context: TableContext,
  first: number,
  pages: number,
  leafShift: number,
  tablesFreed: readonly number[],
  isForAll: boolean = true,
): void {
  const { format } = context.plan;
  const half = context.plan.pages / 2;
  if (format.range.upper === 'sign' && first < half && first + pages > half) {
    flush(context, first, half - first, leafShift, tablesFreed, isForAll);
    flush(context, half, first + pages - half, leafShift, tablesFreed, isForAll);
    return;
  }
  context.counters.flushes++;
  try {
    tell(context, first, pages, leafShift, tablesFreed, context.asid);
  } finally {
    if (isForAll) context.sharing?.post(context, first, pages, leafShift, tablesFreed);
  }
}

/** Tells the sink of this thread, if there is one, to forget pages. */
export function tell(
  { sink, plan }: TableContext,
  first: number,
  pages: number,
  leafShift: number,
  tablesFreed: readonly number[],
  asid: number,
): void {
  // Two bigints for nobody were a tenth of an unmap.
  if (sink === null) return;
  const { format, pageShift } = plan;
  sink.flush(addressOf(format, first), BigInt(pages) << BigInt(pageShift), leafShift, tablesFreed, asid);
}

/**
 * Refuses to make a page valid while a flush is owed for it: the sink may still serve its old translation.
 *
 * @throws VmError `EBUSY` while a batch owes a flush for a page of the range.
 */
export function refuseOwed(context: TableContext, range: PageRange): void {
  if (context.owed.size === 0) return;
  for (const batch of context.owed) {
    if (batch.touches(range)) {
      throw new VmError('EBUSY', 'a batch owes a flush for this range', {
        address: addressOf(context.plan.format, range.first),
        advice: 'call done() of the batch first',
      });
    }
  }
}
