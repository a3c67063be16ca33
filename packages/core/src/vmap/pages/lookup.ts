import { checkAddress } from '../../check/address.js';
import { plainBytes, typedKind } from '../../check/typed-arrays.js';
import { VmError } from '../../errors.js';
import { TOP, words } from '../../words.js';

import { VM_IOREMAP, VM_SPARSE } from '../flags.js';
import { type KernelSpace, structOf } from '../kernel-space.js';
import { readPages } from './bytes.js';

/** `is_vmalloc_addr`. */
export function isVmallocAddr(space: KernelSpace, address: bigint): boolean {
  checkAddress(address);
  const { start, end } = space.linux.window;
  return address >= start && address < end;
}

/** `vmalloc_to_page`: the frame at an address; `null` when there is none. */
export function vmallocToPage(space: KernelSpace, address: bigint): number | null {
  if (!isVmallocAddr(space, address) && space.areas.find(address) === undefined) return null;
  const pfn = frameAt(space, address);
  return pfn < 0 ? null : pfn;
}

/** `vmalloc_to_pfn`. */
export function vmallocToPfn(space: KernelSpace, address: bigint): number {
  const pfn = vmallocToPage(space, address);
  if (pfn === null)
    throw new VmError('EFAULT', 'no vmalloc page is mapped here', {
      address,
      advice: 'vmallocToPage returns null instead',
    });
  return pfn;
}

/** `vread_iter`. */
export function vread(space: KernelSpace, address: bigint, into: Uint8Array): number {
  checkAddress(address);
  if (typedKind(into) !== 'Uint8Array') throw new VmError('EINVAL', 'expected a Uint8Array for the bytes');
  const bytes = plainBytes(into);
  const length = Number(TOP - address < BigInt(bytes.length) ? TOP - address : BigInt(bytes.length));
  readPages(space, address, bytes.subarray(0, length), (page) => {
    const area = space.areas.find(page);
    // A guard maps nothing, and reads as zeros like any hole.
    if (area === undefined) return -1;
    const vm = structOf(area);
    if (vm !== null && (vm.flags & (VM_IOREMAP | VM_SPARSE)) !== 0) return -1;
    return frameAt(space, page);
  });
  return length;
}

function frameAt(space: KernelSpace, address: bigint): number {
  const { hi, lo } = words(address);
  return space.table.translateWords(hi, lo);
}
