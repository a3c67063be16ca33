import type { PageTableFormat } from '../../../format/page-table-format.js';
import type { Protection } from '../../../format/protection.js';
import type { Words } from '../../../words.js';

/**
 * The flags of one leaf that stands for two. It is accessed or dirty when one of them was. All else must
 * agree.
 *
 * It never loses a mark: a page that was written stays dirty.
 *
 * @param level - of both, and of the result.
 * @returns `null` when they disagree.
 */
export function mergeFlags(format: PageTableFormat, level: number, a: Words, b: Words): Words | null {
  if (a.lo === b.lo && a.hi === b.hi) return a;
  const one = format.decode(a, level);
  const other = format.decode(b, level);
  const both: Protection = {
    ...one,
    accessed: one.accessed || other.accessed,
    dirty: one.dirty || other.dirty,
  };
  for (const member of Object.keys(both) as (keyof Protection)[]) {
    if (member !== 'accessed' && member !== 'dirty' && one[member] !== other[member]) return null;
  }
  return format.encode(both, level);
}
