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
import type { AreaRequest } from '../input/workload.js';

/** `base`: base pages alone. `huge`: larger leaves where Linux's policy has them and alignment allows. */
export type LeafPolicy = 'base' | 'huge';

/** What a reservation takes beside the request. */
export interface Extent {
  /** Usable bytes, whole pages. */
  readonly bytes: number;
  /** A power of two, in bytes; device ranges have an alignment of their own. */
  readonly align: bigint;
}

/** A kernel of a configuration that forms the leaves of a policy, and no other. */
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
 * Reserves the area of a request, as the caller in Linux does.
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
