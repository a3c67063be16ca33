import { VmError } from '../errors.js';
import { flush, freeTable, readOnly, type TableContext } from './context.js';
import { visitTables } from './visit.js';

/**
 * Gives every table of a root back to the allocator, after one flush that names them all.
 *
 * @throws VmError `EINVAL` when the root or a table below it was not made by the engine; nothing is then changed.
 */
export function destroyTables(context: TableContext): void {
  const { plan, records, root } = context;
  if (records === null) throw readOnly();
  const tables: number[] = [];
  visitTables(context, { first: 0, pages: plan.pages }, (pfn) => {
    if (records.find(pfn) < 0) {
      const pa = (BigInt(pfn) << BigInt(plan.pageShift)).toString(16);
      throw new VmError(
        'EINVAL',
        `the table at physical 0x${pa} was not made by this allocator's page tables`,
        {
          advice: 'tables that were opened stay with their owner: unmap what you mapped instead',
        },
      );
    }
    tables.push(pfn);
  });
  flush(context, 0, plan.pages, plan.pageShift, tables);
  for (const pfn of tables) freeTable(context, pfn, pfn === root.pfn ? plan.rootOrder : 0);
}
