import { shown, VmError } from '../errors.js';
import type { LinuxPolicy } from '../format/linux-policy.js';
import type { Space } from './space.js';

/** The space behind a face that a caller holds, and its policy. */
export interface KernelBehind {
  readonly space: Space;
  readonly linux: LinuxPolicy;
  /** True when several threads use it. */
  readonly isShared: boolean;
}

const kernels: WeakMap<object, KernelBehind> = new WeakMap();

/** Keeps what is behind an `AddressSpace`. */
export function registerKernel(face: object, behind: KernelBehind): void {
  kernels.set(face, behind);
}

/**
 * What is behind an `AddressSpace` that a caller passed.
 *
 * @throws VmError `EINVAL` when it is none of this build of the package.
 */
export function kernelBehind(face: unknown): KernelBehind {
  const found = typeof face === 'object' && face !== null ? kernels.get(face) : undefined;
  if (found !== undefined) return found;
  throw new VmError('EINVAL', `kernel is ${shown(face)}, expected an AddressSpace`);
}

/** A region of a process, as `remapVmallocRange` takes it: a `Region`. */
export interface MappableRegion {
  /** First byte. */
  readonly start: bigint;
  /** The byte after the last one. */
  readonly end: bigint;
}

/** What `remapVmallocRange` needs of a region. */
export interface UserMapping {
  /** The space of its kernel. */
  readonly kernel: Space;
  readonly start: bigint;
  readonly end: bigint;
  /**
   * Maps frames page by page, all or none (vm_insert_page for each).
   *
   * @throws VmError as `Process.insertPage`.
   */
  insert(at: bigint, frames: Float64Array): void;
}

const regions: WeakMap<object, () => UserMapping> = new WeakMap();

/** Keeps how to map into a region. */
export function registerRegion(face: object, mapping: () => UserMapping): void {
  regions.set(face, mapping);
}

/**
 * How to map into a region that a caller passed.
 *
 * @throws VmError `EINVAL` when it is no live region.
 */
export function regionBehind(face: unknown): UserMapping {
  const found = typeof face === 'object' && face !== null ? regions.get(face) : undefined;
  if (found === undefined)
    throw new VmError('EINVAL', `region is ${shown(face)}, expected a Region of a process`);
  return found();
}
