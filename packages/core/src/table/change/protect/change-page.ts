import { entryHi, entryLo, pfnOf } from '../../../address-codec.js';
import type { LevelPlan } from '../../../format/plan.js';
import { checkProtection, type Protection } from '../../../format/protection.js';
import type { PageTable } from '../../page-table.js';
import { changeTables } from '../../state/change-lock.js';
import { copyOut, isLeaf } from '../../state/entries.js';
import { contextOf } from '../../state/registry.js';
import { findEntries } from '../look/find.js';
import { changing } from '../set/changing.js';
import { leafFlags } from './leaf-flags.js';

/**
 * Gives a page that maps a frame a complete protection, `accessed`, `dirty` and `extra` included, with a flush. The page is never empty in
 * between, and what another thread has made of it stays.
 *
 * @param page - counted from the start of the root's range. It is mapped by a base page or by nothing.
 * @param pfn - the frame that it maps.
 * @returns false when it does not map the frame.
 * @throws VmError `EINVAL` for a protection that the format cannot express; what the sink throws: nothing has then changed.
 */
export function changePage(table: PageTable, page: number, pfn: number, protection: Protection): boolean {
  return changeTables(contextOf(table), (context) => {
    const { plan } = context;
    const last = plan.levels[plan.last] as LevelPlan;
    const flags = leafFlags(plan, checkProtection(protection), last);
    const lo = flags.lo | entryLo(plan.address, pfn);
    const hi = flags.hi | entryHi(plan.address, pfn);
    const range = { first: page, pages: 1 };
    const { spans } = findEntries(context, range, 64, 'refuse');
    let isThere = false;
    const transform = (words: Int32Array): boolean => {
      const isLo = words[0] as number;
      const isHi = words[1] as number;
      isThere =
        isLeaf(last, isLo, isHi) &&
        pfnOf(plan.address, isLo & last.leafAddressLo, isHi & last.leafAddressHi) === pfn;
      if (!isThere) return false;
      words[0] = lo;
      words[1] = hi;
      return true;
    };
    changing(context, range, null, (changes) => {
      for (const span of spans) {
        if (changes.shared !== null) {
          changes.shared.change(span, transform);
          continue;
        }
        const after = copyOut(span.bank, span.at, 1);
        if (transform(after)) changes.rewrite(span, after);
      }
    });
    return isThere;
  });
}
