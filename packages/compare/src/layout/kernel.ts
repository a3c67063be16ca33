import {
  AddressSpace,
  type Configuration,
  type FrameAllocator,
  type LinuxLeaves,
  type PhysicalMemory,
  VM_IOREMAP,
  VM_NO_GUARD,
  type VmArea,
} from '@vmarea/core';
import type { AreaRequest } from '../areas/workload.js';

/** `base`: only base pages. `huge`: larger leaves where Linux's policy and the alignment allow them. */
export type LeafPolicy = 'base' | 'huge';

/** The size and alignment of a reservation. */
export interface Extent {
  /** Usable bytes, whole pages. */
  readonly bytes: number;
  /** A power of two, in bytes. `ioremap` aligns device ranges by itself. */
  readonly align: bigint;
}

/** Makes a kernel that forms only the leaves of a policy. */
export function kernelOf(
  { format, linux }: Configuration,
  leafPolicy: LeafPolicy,
  memory: PhysicalMemory,
  frames: FrameAllocator,
): AddressSpace {
  const base: LinuxLeaves = {
    vmalloc: [format.pageShift],
    vmap: [format.pageShift],
    ioremap: [format.pageShift],
  };
  const leaves = leafPolicy === 'base' ? base : linux.leaves;
  return new AddressSpace({ format, linux: { ...linux, leaves }, memory, frames });
}

/**
 * Reserves the area of a request, as its caller in Linux does.
 *
 * @throws VmError `ENOMEM` when the window has no room.
 */
export function reserveArea(
  kernel: AddressSpace,
  { kind, guard }: AreaRequest,
  { bytes, align }: Extent,
): VmArea {
  const flags = (kind === 'ioremap' ? VM_IOREMAP : 0) | (guard ? 0 : VM_NO_GUARD);
  return kernel.getVmAreaNode({ size: bytes, flags, align });
}
