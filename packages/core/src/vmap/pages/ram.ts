import { checkAddress } from '../../check/address.js';
import { copyFrames, type FrameList, frameCount } from '../../check/frames.js';
import { shown, VmError } from '../../errors.js';

import type { KernelSpace } from '../kernel-space.js';

/** `vm_map_ram`: PAGE_KERNEL, base pages, no guard. */
export function vmMapRam(space: KernelSpace, frames: FrameList): bigint {
  const length = frameCount(frames);
  space.machine.requireAtMost(length);
  const list = copyFrames(frames, length, space.pfnLimit);
  return space.change(() => {
    const address = space.blocks.reserve(length, space.cpu);
    try {
      space.table.map(address, list, space.linux.protections.PAGE_KERNEL, space.capsOf([], 0));
    } catch (error) {
      space.blocks.cancel(address);
      throw error;
    }
    return address;
  });
}

/** `vm_unmap_ram`. Its flush waits for that of the block, or for `vmUnmapAliases`. */
export function vmUnmapRam(space: KernelSpace, address: bigint, count: number): void {
  checkAddress(address);
  const pages = space.blocks.pagesAt(address);
  if (pages === 0)
    throw new VmError('EINVAL', 'no range of vmMapRam begins here', {
      address,
      advice: 'it was unmapped, or the address is inside one',
    });
  if (pages !== count)
    throw new VmError('EINVAL', `the range has ${pages} pages, not ${shown(count)}`, {
      address,
      advice: 'unmap all of it, with the count that it was mapped with',
    });
  space.unmapLazily(address, BigInt(pages) * space.pages);
  space.blocks.free(address, pages);
}
