import { requireOnPage } from '../../check/address.js';
import { integerOption } from '../../check/members.js';
import { VmError } from '../../errors.js';
import type { Protection } from '../../format/protection.js';
import { areaHolding, requireInside } from '../areas/places.js';
import { nameOf, requireOwnHands, type VmStruct } from '../areas/vm-struct.js';
import { VM_ALLOC, VM_ALLOW_HUGE_VMAP } from '../flags.js';
import type { KernelSpace } from '../kernel-space.js';
import { apart, cutAtEnds, requireWhole, withoutUnchanged } from './cut-ends.js';

/**
 * `set_memory_ro` and its siblings: changes the protection of pages inside one area. When the change is
 * about writing, it also changes their aliases in the direct map.
 *
 * Where the policy says so (arm64), only vmalloc memory without huge leaves may change. Elsewhere, a leaf
 * that the range covers only in part is split.
 */
export function setMemory(
  space: KernelSpace,
  address: bigint,
  numPages: number,
  fields: Partial<Protection>,
): void {
  const vm = areaHolding(space, address);
  requireOnPage(address, space.pages);
  integerOption({ numPages }, 'numPages', 0, 2 ** 31 - 1);
  requireOwnHands(vm);
  requireChangeable(space, vm);
  const end = address + BigInt(numPages) * space.pages;
  if (numPages === 0) return;
  requireInside(vm, address, end);
  space.threads?.close(vm);
  const stretches = stretchesOf(space, address, end);
  const ranges = [{ start: address, end }];
  if (fields.write !== undefined)
    for (const { first, count } of stretches) {
      const alias = space.directMap?.aliasOf(first, count) ?? null;
      if (alias !== null) ranges.push(alias);
    }
  if (space.linux.setMemory === 'vmalloc') requireWhole(space, { start: address, end });
  const pieces = apart(ranges).flatMap((range) => withoutUnchanged(space, range, fields) ?? []);
  const undo = cutAtEnds(space, pieces);
  try {
    space.blocks.unmapAliases();
    if (pieces.length > 0)
      space.table.protectMany(
        pieces.map(({ start, end: last }) => ({ va: start, bytes: last - start })),
        fields,
      );
  } catch (error) {
    undo();
    throw error;
  }
}

function requireChangeable(space: KernelSpace, vm: VmStruct): void {
  if (space.linux.setMemory !== 'vmalloc') return;
  if ((vm.flags & VM_ALLOC) !== 0 && (vm.flags & VM_ALLOW_HUGE_VMAP) === 0) return;
  throw new VmError('EINVAL', `${nameOf(vm)} is not vmalloc memory without huge leaves`, {
    address: vm.area.address,
    advice: 'this architecture changes no other memory',
  });
}

/**
 * Adjacent frames that a range maps, in order. They are listed by leaf, since a range of large leaves may
 * have more pages than an array can hold.
 *
 * @throws VmError `EFAULT` for the first page that is not mapped.
 */
export function stretchesOf(
  space: KernelSpace,
  start: bigint,
  end: bigint,
): { first: number; count: number }[] {
  const stretches: { first: number; count: number }[] = [];
  let at = start;
  for (const { va, count, leafShift, pfn } of space.table.leaves(start, end - start)) {
    if (va > at) break;
    const last = va + (BigInt(count) << BigInt(leafShift));
    const to = last < end ? last : end;
    const shift = BigInt(space.pageShift);
    const first = pfn + Number((at - va) >> shift);
    const pages = Number((to - at) >> shift);
    const before = stretches.at(-1);
    if (before !== undefined && before.first + before.count === first) before.count += pages;
    else stretches.push({ first, count: pages });
    at = to;
  }
  if (at === end) return stretches;
  throw new VmError('EFAULT', 'the page is not mapped', { address: at });
}
