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
import { ARM64_BITS } from './bits.js';

/**
 * The processor modes at EL1 and EL0 that change what an arm64 translation allows.
 *
 * Permissions are direct ones: indirection (FEAT_S1PIE) and overlays (FEAT_S1POE) are not modelled.
 *
 * Source: Arm ARM, D24.2, TCR_EL1 and SCTLR_EL1; C5.2, PAN.
 */
export interface Arm64Controls {
  /** TCR_EL1.HA: hardware sets AF. When false, an access to a leaf with AF clear is an Access flag fault. */
  readonly ha: boolean;
  /** TCR_EL1.HD, with `ha`: a write to a leaf with DBM set clears AP[2]. When false, AP[2] alone refuses writes. */
  readonly hd: boolean;
  /** SCTLR_EL1.WXN: writable pages are not executable. */
  readonly wxn: boolean;
  /** PSTATE.PAN: no kernel data accesses to pages that the user may read. */
  readonly pan: boolean;
  /** SCTLR_EL1.EPAN (FEAT_PAN3): with `pan`, also none to pages that the user may only execute. */
  readonly epan: boolean;
  /** TCR_EL1.HPD0 or HPD1 of this half: APTable, PXNTable and UXNTable are ignored. */
  readonly hpd: boolean;
  /** TCR_EL1.E0PD0 or E0PD1 of this half: every access by the user is a level 0 Translation fault. */
  readonly e0pd: boolean;
  /**
   * TCR_EL1.TBI0 or TBI1 of this half: bits 63:56 of an address are a tag. A walk takes the address without its tag, see
   * `withoutTag`; it does not look at this control.
   */
  readonly tbi: boolean;
  /** TCR_EL1.TBID0 or TBID1 of this half: `tbi` holds for data accesses only. */
  readonly tbid: boolean;
}

/**
 * The modes in which Linux runs its kernel on an Armv8.1 processor: HA, HD and PAN on.
 *
 * EPAN and E0PD are off; Linux turns them on where a later processor has them. TBI is off; it differs between the halves.
 * `arm64FromRegisters` gives the modes of a machine.
 */
export const ARM64_CONTROLS: Arm64Controls = Object.freeze({
  ha: true,
  hd: true,
  wxn: false,
  pan: true,
  epan: false,
  hpd: false,
  e0pd: false,
  tbi: false,
  tbid: false,
});

const AP_USER = words(ARM64_BITS.AP_USER).lo;
const AP_READ_ONLY = words(ARM64_BITS.AP_READ_ONLY).lo;
const AF = words(ARM64_BITS.AF).lo;
const DBM = words(ARM64_BITS.DBM).hi;
const PXN = words(ARM64_BITS.PXN).hi;
const UXN = words(ARM64_BITS.UXN).hi;
const PXN_TABLE = words(ARM64_BITS.PXN_TABLE).hi;
const UXN_TABLE = words(ARM64_BITS.UXN_TABLE).hi;
const NO_USER_TABLE = words(ARM64_BITS.AP_TABLE_NO_USER).hi;
const READ_ONLY_TABLE = words(ARM64_BITS.AP_TABLE_READ_ONLY).hi;

/** True when hardware makes the leaf dirty on a write. Then it is writable, whatever AP[2] is. */
function isHardwareDirty(leaf: Words, { ha, hd }: Arm64Controls): boolean {
  return ha && hd && (leaf.hi & DBM) !== 0;
}

/**
 * The permissions of the kernel and the user for a page.
 *
 * Source: Arm ARM, D8.4, "Memory access control": direct permissions AP[2:1], UXN and PXN; hierarchical ones; "memory
 * that EL0 may write is not executable at EL1"; WXN; PAN.
 */
export function permissionsOf(path: readonly Words[], controls: Arm64Controls): Permissions {
  const leaf = path[path.length - 1] as Words;
  let tables = 0;
  if (!controls.hpd) for (let i = 0; i < path.length - 1; i++) tables |= (path[i] as Words).hi;

  const mayWrite = (leaf.lo & AP_READ_ONLY) === 0 || isHardwareDirty(leaf, controls);
  const write = mayWrite && (tables & READ_ONLY_TABLE) === 0;
  const user = (leaf.lo & AP_USER) !== 0 && (tables & NO_USER_TABLE) === 0;
  const userWrite = user && write;
  const userExecute = (leaf.hi & UXN) === 0 && (tables & UXN_TABLE) === 0 && !(controls.wxn && userWrite);
  const kernelExecute =
    (leaf.hi & PXN) === 0 && (tables & PXN_TABLE) === 0 && !userWrite && !(controls.wxn && write);
  const isGuarded = controls.pan && (user || (controls.epan && userExecute));
  return {
    kernel: allowed(!isGuarded, !isGuarded && write, kernelExecute),
    user: controls.e0pd ? NOTHING : allowed(user, userWrite, userExecute),
  };
}

function allowed(read: boolean, write: boolean, execute: boolean): Allowed {
  return { read, write, execute };
}

const NOTHING: Allowed = Object.freeze({ read: false, write: false, execute: false });

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
 * the leaf, even when a table forbids the access.
 *
 * Source: Arm ARM, D8.15, "MMU fault prioritization from a single address translation stage".
 */
export function checkAccess(path: readonly Words[], access: Access, controls: Arm64Controls): Fault | null {
  const barred = checkRoot(access, controls);
  if (barred !== null) return barred;
  const level = path.length - 1;
  if (!controls.ha && ((path[level] as Words).lo & AF) === 0) return { kind: 'access-flag', level };
  const side = permissionsOf(path, controls)[access.user ? 'user' : 'kernel'];
  return side[access.kind] ? null : { kind: 'permission', level };
}

/**
 * A leaf after an allowed access. HA sets AF. HD clears AP[2] of a written leaf whose DBM is set. Table entries stay: their
 * access flag (FEAT_HAFT) is not modelled.
 *
 * Source: Arm ARM, D8.5, "Hardware management of the Access flag" and "of dirty state" (FEAT_HAFDBS).
 */
export function touched(
  entry: Words,
  kind: 'table' | 'leaf',
  access: Access,
  controls: Arm64Controls,
): Words {
  if (kind === 'table') return entry;
  let { lo } = entry;
  if (controls.ha) lo |= AF;
  if (access.kind === 'write' && isHardwareDirty(entry, controls)) lo &= ~AP_READ_ONLY;
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
