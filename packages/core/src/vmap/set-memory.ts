import type { AddressWindow } from '../area/page-units.js';
import { shown, VmError } from '../errors.js';
import type { Protection } from '../format/protection.js';
import { toBigint } from '../words.js';
import { addAlias } from './direct-map.js';
import { VM_ALLOC, VM_ALLOW_HUGE_VMAP } from './flags.js';
import { areaAt, requireInside } from './places.js';
import type { Space } from './space.js';
import { nameOf, type VmStruct } from './vm-struct.js';

/**
 * `set_memory_ro` and its kin: changes the protection of pages inside one area, and of their aliases in the direct map where the change
 * is about writing.
 *
 * Where the policy says so (arm64) it is for vmalloc memory without huge leaves; elsewhere a leaf that the range covers in part is split.
 */
export function setMemory(
  space: Space,
  address: bigint,
  numPages: number,
  fields: Partial<Protection>,
): void {
  const vm = areaAt(space, address);
  if (vm === null) throw new VmError('EINVAL', 'no vm area holds the address', { address });
  if ((address & (space.pages - 1n)) !== 0n)
    throw new VmError('EINVAL', `the address is not a multiple of the page size`, { address });
  if (!Number.isSafeInteger(numPages) || numPages < 0 || numPages > 2 ** 31 - 1)
    throw new VmError('EINVAL', `${shown(numPages)} is no number of pages`, { address });
  requireChangeable(space, vm);
  const end = address + BigInt(numPages) * space.pages;
  if (numPages === 0) return;
  requireInside(vm, address, end);
  const stretches = stretchesOf(space, address, end);
  const ranges = [{ start: address, end }];
  if (fields.write !== undefined)
    for (const { first, count } of stretches) addAlias(space, first, count, ranges);
  space.blocks.unmapAliases();
  const pieces = apart(ranges).map(({ start, end: last }) => ({ va: start, bytes: last - start }));
  cutAtEnds(space, pieces);
  space.table.protectMany(pieces, fields);
}

/** Ranges without what they share: a frame that is mapped twice has one alias. */
function apart(ranges: readonly AddressWindow[]): AddressWindow[] {
  const sorted = [...ranges].sort((a, b) => (a.start < b.start ? -1 : 1));
  const found: { start: bigint; end: bigint }[] = [];
  for (const { start, end } of sorted) {
    const before = found.at(-1);
    if (before === undefined || start > before.end) found.push({ start, end });
    else if (end > before.end) before.end = end;
  }
  return found;
}

/**
 * Splits leaves that reach over an end of a range: which changes no translation. When there is no memory for one, those that were
 * split are put together again.
 */
function cutAtEnds(space: Space, pieces: readonly { readonly va: bigint; readonly bytes: bigint }[]): void {
  const { table, pages } = space;
  const done: { readonly va: bigint; readonly bytes: bigint }[] = [];
  try {
    for (const { va, bytes } of pieces)
      for (const page of [va, va + bytes - pages]) {
        const around = leafAround(space, page);
        if (around.va >= va && around.va + around.bytes <= va + bytes) continue;
        table.split(page, pages);
        done.push(around);
      }
  } catch (error) {
    for (const { va, bytes } of done.reverse()) table.collapse(va, bytes);
    throw error;
  }
}

/** The leaf that maps a page, or the run that the leaf is in. */
function leafAround({ table, format }: Space, page: bigint): { va: bigint; bytes: bigint } {
  const [step] = table.walk(page).steps.slice(-1);
  const { leaf } = table.walk(page);
  const run = format.levels[step?.level ?? 0]?.run ?? null;
  const shift = BigInt(leaf?.leafShift ?? 0);
  const mark = run === null ? 0n : toBigint(run.set);
  const isRun = run !== null && ((step?.entry ?? 0n) & mark) === mark;
  const bytes = (isRun ? BigInt(run.entries) : 1n) << shift;
  return { va: page - (page % bytes), bytes };
}

function requireChangeable(space: Space, vm: VmStruct): void {
  if (space.linux.setMemory !== 'vmalloc') return;
  if ((vm.flags & VM_ALLOC) !== 0 && (vm.flags & VM_ALLOW_HUGE_VMAP) === 0) return;
  throw new VmError('EINVAL', `${nameOf(vm)} is not vmalloc memory without huge leaves`, {
    address: vm.area.address,
    advice: 'this architecture changes no other',
  });
}

/**
 * Adjacent frames that a range maps, in order: by leaf, since a range of large leaves may have more pages than an array.
 *
 * @throws VmError `EFAULT` for the first page that is not mapped.
 */
export function stretchesOf(space: Space, start: bigint, end: bigint): { first: number; count: number }[] {
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
