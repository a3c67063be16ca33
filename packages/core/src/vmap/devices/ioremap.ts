import { checkAddress } from '../../check/address.js';
import { checkBytes } from '../../check/bytes.js';
import { VmError } from '../../errors.js';
import type { Protection } from '../../format/protection.js';
import { areaFrom } from '../areas/places.js';
import { cancel, reserve } from '../areas/reserve.js';
import { VM_IOREMAP } from '../flags.js';
import type { KernelSpace } from '../kernel-space.js';
import type { CallerOptions } from '../options.js';
import { ioremapPageRange } from '../pages/map-ranges.js';
import { vunmap } from '../pages/vmap.js';

/** `generic_ioremap_prot`: the virtual address of a physical one, which need not be the start of a page. */
export function ioremapProt(
  space: KernelSpace,
  physical: bigint,
  size: number | bigint,
  protection: Protection,
  options: CallerOptions,
): bigint {
  checkAddress(physical, 'the physical address');
  const bytes = checkBytes(size, 'size');
  const offset = physical & (space.pages - 1n);
  const first = physical - offset;
  const mapped = space.wholePages(offset + bytes);
  if (first + mapped > 1n << BigInt(space.format.paBits))
    throw new VmError(
      'EINVAL',
      `the device's range does not fit ${space.format.paBits} physical address bits`,
      {
        address: physical,
      },
    );
  const shift = BigInt(space.pageShift);
  if (space.machine.holds(Number(first >> shift), Number(mapped >> shift)))
    throw new VmError('EINVAL', 'the range is memory, not a device', {
      address: physical,
      advice: 'Linux refuses to remap RAM with another memory type',
    });
  const vm = reserve(space, { ...options, size: mapped, flags: VM_IOREMAP });
  vm.physical = first;
  const { address } = vm.area;
  try {
    ioremapPageRange(space, address, address + mapped, first, protection);
  } catch (error) {
    cancel(space, vm);
    throw error;
  }
  return address + offset;
}

/** `iounmap`: accepts any address in the first page of a device range. */
export function iounmap(space: KernelSpace, address: bigint): void {
  checkAddress(address);
  const page = address - (address & (space.pages - 1n));
  const vm = areaFrom(space, page, 'iounmap');
  if ((vm.flags & VM_IOREMAP) === 0)
    throw new VmError('EINVAL', 'the area is not a device range', { address, advice: 'vunmap or vfree it' });
  vunmap(space, page, 'iounmap');
}
