import { narrowed } from '../../check/frames.js';
import { VmError } from '../../errors.js';
import type { OwnedFrames } from '../../space/frame-owners.js';
import { nameOf, type VmStruct } from '../areas/vm-struct.js';
import type { KernelSpace } from '../kernel-space.js';
import { stretchesOf } from '../permissions/set-memory.js';

/**
 * The frames of an area that another thread made: those that its tables map, in order. They are read when
 * somebody asks for them.
 *
 * @param pages - that it owns.
 */
export function ownedInTables(space: KernelSpace, vm: VmStruct, order: number, pages: number): OwnedFrames {
  let heads: OwnedFrames['heads'] | undefined;
  return {
    order,
    get heads() {
      heads ??= readHeads(space, vm, order, pages);
      return heads;
    },
  };
}

function readHeads(space: KernelSpace, vm: VmStruct, order: number, pages: number): OwnedFrames['heads'] {
  const { address } = vm.area;
  if (!vm.isLive) throw new VmError('EINVAL', 'another thread freed the area, with its frames', { address });
  const heads = new Float64Array(pages / 2 ** order);
  let page = 0;
  try {
    const end = address + BigInt(pages) * space.pages;
    for (const { first, count } of stretchesOf(space, address, end))
      for (let i = 0; i < count; i++, page++)
        if (page % 2 ** order === 0) heads[page / 2 ** order] = first + i;
  } catch (cause) {
    throw new VmError('EINVAL', `${nameOf(vm)} does not map all ${pages} pages that it owns`, {
      address,
      advice: 'a thread died while it freed the area, or wrote its entries: call recover()',
      cause,
    });
  }
  return narrowed(heads);
}
