import type { PageTableFormat } from '@vmarea/core';
import type { TlbDescription, TlbUnit } from '@vmarea/mmu';

/**
 * Whether repeated accesses of a page may be left out (see `PageStream`): each kind of access has a first-level TLB that holds base
 * pages whole, and none serves both fetches and data.
 */
export function mayCollapse({ tlbs }: TlbDescription, { pageShift }: PageTableFormat): boolean {
  const first = tlbs.filter(({ level }) => level === 1);
  const isOneSide = ({ kinds }: TlbUnit): boolean => !kinds.includes('execute') || kinds.length === 1;
  // A unit without arrays is modelled with those of the other unit of its level.
  const holds = ({ arrays }: TlbUnit): boolean =>
    arrays === null ||
    arrays.some(({ sizes }) => sizes === null || sizes === 'all' || sizes.includes(pageShift));
  return first.every((unit) => isOneSide(unit) && holds(unit));
}
