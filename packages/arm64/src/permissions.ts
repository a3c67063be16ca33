import {
  type Access,
  type Allowed,
  checkAddress,
  choiceOption,
  completeControls,
  type Fault,
  type Permissions,
  type Words,
  words,
} from '@vmarea/core';
import type { SideRights } from './base-rights.js';
import { ARM64_BITS } from './bits.js';
import { ARM64_CONTROLS, type Arm64Controls } from './controls.js';
import { directRights, isHardwareDirty } from './direct-permissions.js';
import { type IndexRights, indirectRights } from './indirect-permissions.js';
import { combined, overlayOf } from './overlays.js';

const AP_READ_ONLY = words(ARM64_BITS.AP_READ_ONLY).lo;
const AF = words(ARM64_BITS.AF).lo;

const NOTHING: Allowed = Object.freeze({ read: false, write: false, execute: false });

/**
 * The permissions of the kernel and the user for a page: base permissions, then overlays.
 *
 * Source: Arm ARM, D8.4, "Memory access control".
 *
 * @param indexes - what each PIIndex allows; `null` where permissions are direct.
 */
export function permissionsOf(
  path: readonly Words[],
  controls: Arm64Controls,
  indexes: readonly IndexRights[] | null,
): Permissions {
  const leaf = path[path.length - 1] as Words;
  const base = indexes === null ? directRights(path, controls) : indirectRights(leaf, controls, indexes);
  const overlaid = (side: SideRights, isOn: boolean, por: number): Allowed =>
    combined(side, isOn && side.overlaid ? overlayOf(leaf, por) : null);
  return {
    kernel: overlaid(base.kernel, controls.poe, controls.porEl1),
    user: controls.e0pd ? NOTHING : overlaid(base.user, controls.e0poe, controls.porEl0),
  };
}

/**
 * The fault of an access that may not use this half at all: with E0PD, every access by EL0, mapped or not.
 *
 * Source: Arm ARM, D24.2, TCR_EL1.E0PD0 and E0PD1: such an access is a Translation fault of level 0.
 */
export function checkRoot(access: Access, { e0pd }: Arm64Controls): Fault | null {
  return e0pd && access.user ? { kind: 'address', level: 0 } : null;
}

/**
 * The fault of an access to a mapped page. The Access flag comes before the permissions. A Permission fault has the level of
 * the leaf, even when a table forbids the access; so does one by an overlay or by the dirty state.
 *
 * Source: Arm ARM, D8.15, "MMU fault prioritization from a single address translation stage".
 */
export function checkAccess(
  path: readonly Words[],
  access: Access,
  controls: Arm64Controls,
  indexes: readonly IndexRights[] | null,
): Fault | null {
  const barred = checkRoot(access, controls);
  if (barred !== null) return barred;
  const level = path.length - 1;
  if (!controls.ha && ((path[level] as Words).lo & AF) === 0) return { kind: 'access-flag', level };
  const side = permissionsOf(path, controls, indexes)[access.user ? 'user' : 'kernel'];
  return side[access.kind] ? null : { kind: 'permission', level };
}

/**
 * A leaf after an allowed access. HA sets AF. HD clears AP[2] of a written leaf whose DBM is set, and nDirty of any written leaf
 * with PIE. Table entries stay: their access flag (FEAT_HAFT) is not modelled.
 *
 * Source: Arm ARM, D8.5, "Hardware management of the Access flag" and "of dirty state" (FEAT_HAFDBS).
 */
export function touched(
  entry: Words,
  kind: 'table' | 'leaf',
  access: Access,
  controls: Arm64Controls,
  indexes: readonly IndexRights[] | null,
): Words {
  if (kind === 'table') return entry;
  const isMadeDirty = indexes === null ? isHardwareDirty(entry, controls) : controls.ha && controls.hd;
  let { lo } = entry;
  if (controls.ha) lo |= AF;
  if (access.kind === 'write' && isMadeDirty) lo &= ~AP_READ_ONLY;
  return lo === entry.lo ? entry : { lo, hi: entry.hi };
}

/**
 * The address for a walk: if the top byte is ignored, bits 63:56 become copies of bit 55.
 *
 * Source: Arm ARM, D8.8, "Address tagging".
 *
 * @param address - 64 bits of a pointer.
 * @param controls - of the half that bit 55 of the address selects. An absent control is off.
 * @param kind - of the access; with `tbid` a fetch has no tag. Default: `read`.
 * @throws VmError `EINVAL` or `ERANGE` when `address` is not an unsigned 64-bit bigint; `EINVAL` for a control that arm64
 *   does not have.
 * @example
 * ```ts
 * withoutTag(0x3c00_0000_0040_0000n, { tbi: true, tbid: false }); // 0x400000n
 * ```
 */
export function withoutTag(address: bigint, controls: Partial<Arm64Controls>, kind?: Access['kind']): bigint {
  checkAddress(address);
  const { tbi, tbid } = completeControls(ARM64_CONTROLS, controls, 'arm64');
  const access = choiceOption({ kind }, 'kind', ['read', 'write', 'execute'], 'read');
  if (!tbi || (tbid && access === 'execute')) return address;
  return BigInt.asUintN(64, BigInt.asIntN(56, address));
}
