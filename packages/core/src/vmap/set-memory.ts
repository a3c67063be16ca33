import { shown, VmError } from '../errors.js';
import type { Protection } from '../format/protection.js';
import { toBigint } from '../words.js';
import { aliasesOf } from './direct-map.js';
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
  const frames = framesOf(space, address, numPages);
  space.blocks.unmapAliases();
  const ranges = [{ start: address, end }];
  if (fields.write !== undefined) ranges.push(...aliasesOf(space, frames));
  const pieces = ranges.map(({ start, end: last }) => ({ va: start, bytes: last - start }));
  cutAtEnds(space, pieces);
  space.table.protectMany(pieces, fields);
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

/** Frames of mapped pages, in order. */
function framesOf(space: Space, address: bigint, pages: number): Float64Array {
  const addresses = BigUint64Array.from({ length: pages }, (_, i) => address + BigInt(i) * space.pages);
  const frames = new Float64Array(pages);
  if (space.table.translateMany(addresses, frames) === pages) return frames;
  const hole = frames.indexOf(-1);
  throw new VmError('EFAULT', 'the page is not mapped', { address: addresses[hole] as bigint });
}
