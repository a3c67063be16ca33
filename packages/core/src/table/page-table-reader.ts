import type { Controls } from '../format/access.js';
import { ReadableTable } from './readable-table.js';
import { openContext, type ReaderOptions } from './state/open.js';
import { makeTranslator } from './walk/translate.js';

/**
 * Reads page tables that exist: in an image, in a guest's memory, or the kernel's own
 * (`AddressSpace.table`).
 *
 * It reads the bytes at each call, so it sees what others change. It does not check its format: `PageTable`
 * and the conformance suite do.
 *
 * @example
 * ```ts
 * const table = new PageTableReader({ format: x8664(), memory: image, root: 0x144218000n });
 * table.translate(0xffffffff81000000n); // 0x1000000n
 * for (const item of table.leaves()) if (item.kind === 'leaves') console.log(hex(item.va), item.count, hex(item.pa));
 * ```
 */
export class PageTableReader<C extends Controls = Controls> extends ReadableTable<C> {
  /**
   * @throws VmError `EFAULT` when the root has no bytes; `EINVAL` when it is not aligned to its size, or
   *   when format or memory is not one.
   */
  constructor(options: ReaderOptions<C>) {
    const context = openContext(options);
    super(context, makeTranslator(context));
  }
}
