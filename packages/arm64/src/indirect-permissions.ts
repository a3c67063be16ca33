import { type Words, words } from '@vmarea/core';
import type { BaseRights, SideRights } from './base-rights.js';
import { ARM64_BITS } from './bits.js';
import type { Arm64Controls } from './controls.js';

/**
 * PIR_EL1 as Linux programs it since 6.5: what the kernel may do with a page, by the bits that older processors read directly.
 *
 * Source: Linux, `PIE_E1` in `arch/arm64/include/asm/pgtable-prot.h` (6.12).
 */
export const LINUX_PIR = 0xcc88_0e0a_c080_0000n;

/**
 * PIRE0_EL1 as Linux 6.12 programs it: what the user may do. Overlays apply to all of it.
 *
 * Kernels before 6.12 have 0xc0800000e0a20000, to which no overlay applies but for execute-only pages. Kernels since 6.13 have
 * 0x5010908070320000, with shadow stacks (GCS).
 *
 * Source: Linux, `PIE_E0` in `arch/arm64/include/asm/pgtable-prot.h` (6.12).
 */
export const LINUX_PIRE0 = 0x5010_0000_7032_0000n;

/** The bits of a leaf that select its index: PIIndex[3:0] is 54, 53, 51 and 6. */
export const PI_INDEX: bigint = ARM64_BITS.UXN | ARM64_BITS.PXN | ARM64_BITS.DBM | ARM64_BITS.AP_USER;

const UXN = words(ARM64_BITS.UXN).hi;
const PXN = words(ARM64_BITS.PXN).hi;
const DBM = words(ARM64_BITS.DBM).hi;
const AP_USER = words(ARM64_BITS.AP_USER).lo;
const N_DIRTY = words(ARM64_BITS.AP_READ_ONLY).lo;

/**
 * PIIndex of a leaf, 0 to 15.
 *
 * Source: Arm ARM, D8.3, "VMSAv8-64 Block descriptor and Page descriptor formats".
 */
export function indexOf({ lo, hi }: Words): number {
  const isSet = (word: number, bit: number): number => ((word & bit) === 0 ? 0 : 1);
  return isSet(hi, UXN) * 8 + isSet(hi, PXN) * 4 + isSet(hi, DBM) * 2 + isSet(lo, AP_USER);
}

/** What an index allows. */
export interface IndexRights {
  readonly kernel: SideRights;
  /** The kernel's with PSTATE.PAN: no data accesses to what the user may use in any way. */
  readonly kernelWithPan: SideRights;
  readonly user: SideRights;
  /** A side may use the page as a guarded control stack, which writes to it in its own way. */
  readonly isStack: boolean;
}

/**
 * The base permissions that a value of PIR_EL1 and PIRE0_EL1 stands for: r, w and x, and g for a guarded control stack, whose own
 * accesses are not modelled. Values from 8 on have no overlay. Reserved ones allow nothing.
 *
 * Source: Arm ARM, D8.4, "Determination of stage 1 Base permissions and Overlay application"; D24.2, PIR_EL1 and PIRE0_EL1.
 */
const PERMISSIONS = ['', 'r', 'x', 'rx', '', 'rw', 'rwx', 'rwx', 'r', 'rg', 'rx', '', 'rw', '', 'rwx', ''];

/** The value with PrivWXN or UnprivWXN. Source: Arm ARM, D8.4, "Determination of PrivWXN and UnprivWXN". */
const WITH_WXN = 0b0110;

/**
 * What the 16 indexes of a leaf allow. Where the kernel may execute, or use a guarded control stack, and the user may write, or use
 * one, nobody may do anything.
 *
 * Whether PAN counts a reserved value of PIRE0_EL1 is up to the processor. Here it does not, as in QEMU and in Linux's KVM.
 *
 * Source: Arm ARM, D8.4, "Stage 1 Indirect permissions"; the pseudocode AArch64.S1IndirectBasePermissions.
 *
 * @param pir - PIR_EL1, 64 bits.
 * @param pire0 - PIRE0_EL1, 64 bits.
 */
export function indirection(pir: bigint, pire0: bigint): readonly IndexRights[] {
  return Object.freeze(
    Array.from({ length: 16 }, (_, index) => {
      const at = (register: bigint): number => Number((register >> BigInt(4 * index)) & 15n);
      return rightsAt(at(pir), at(pire0));
    }),
  );
}

function rightsAt(kernel: number, user: number): IndexRights {
  const ofKernel = PERMISSIONS[kernel] as string;
  const ofUser = PERMISSIONS[user] as string;
  const isUnsafe = /[xg]/.test(ofKernel) && /[wg]/.test(ofUser);
  const all = sideOf(kernel, isUnsafe ? '' : ofKernel);
  return Object.freeze({
    kernel: all,
    kernelWithPan: ofUser === '' ? all : Object.freeze({ ...all, read: false, write: false }),
    user: sideOf(user, isUnsafe ? '' : ofUser),
    isStack: !isUnsafe && (ofKernel + ofUser).includes('g'),
  });
}

function sideOf(value: number, permissions: string): SideRights {
  return Object.freeze({
    read: permissions.includes('r'),
    write: permissions.includes('w'),
    execute: permissions.includes('x'),
    wxn: value === WITH_WXN,
    overlaid: value < 8,
  });
}

/**
 * What a leaf allows by its index. Tables take nothing. A clean leaf (nDirty) allows writes only where hardware makes it dirty.
 *
 * Source: Arm ARM, D8.4, "Stage 1 Indirect permissions"; D8.5, "The dirty state".
 */
export function indirectRights(
  leaf: Words,
  { ha, hd, pan }: Arm64Controls,
  indexes: readonly IndexRights[],
): BaseRights {
  const found = indexes[indexOf(leaf)] as IndexRights;
  const kernel = pan ? found.kernelWithPan : found.kernel;
  const isClean = (leaf.lo & N_DIRTY) !== 0 && !(ha && hd);
  return isClean ? { kernel: clean(kernel), user: clean(found.user) } : { kernel, user: found.user };
}

/** A side whose writes are refused. WXN does not depend on the dirty state. */
function clean(side: SideRights): SideRights {
  return side.write ? { ...side, write: false } : side;
}
