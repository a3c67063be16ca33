import {
  type Access,
  type Allowed,
  type Fault,
  type FaultCode,
  type FaultKind,
  type Permissions,
  VmError,
  type Words,
  words,
} from '@vmarea/core';
import { X86_BITS } from './bits.js';

/**
 * The processor modes that change what an x86-64 translation allows.
 *
 * EFER.NXE is an option of the format instead, since it decides which bits are reserved.
 *
 * Source: SDM vol. 3A, Paging, "Paging-Mode Modifiers".
 */
export interface X8664Controls {
  /** CR0.WP, bit 16: supervisor writes respect R/W. */
  readonly wp: boolean;
  /** CR4.PGE, bit 7: the TLB honours G. It does not change what an access may do. */
  readonly pge: boolean;
  /** CR4.SMEP, bit 20: no supervisor fetches from user-mode addresses. */
  readonly smep: boolean;
  /** CR4.SMAP, bit 21: no supervisor data accesses to user-mode addresses unless `ac`. */
  readonly smap: boolean;
  /** EFLAGS.AC, bit 18: lifts SMAP for explicit accesses. Every access here counts as explicit. */
  readonly ac: boolean;
  /** CR4.PKE, bit 22: keys of user-mode addresses are checked against PKRU. */
  readonly pke: boolean;
  /** PKRU, 32 bits: for key `i`, bit `2i` (AD) refuses data accesses and bit `2i + 1` (WD) refuses writes. */
  readonly pkru: number;
  /** CR4.PKS, bit 24: keys of supervisor-mode addresses are checked against IA32_PKRS. */
  readonly pks: boolean;
  /** IA32_PKRS, its low 32 bits, in PKRU's form. */
  readonly pkrs: number;
}

/**
 * The modes in which a current Linux runs its kernel: WP, PGE, SMEP, SMAP and PKE on, PKS off.
 *
 * PKRU is the initial one of a process: it refuses every key but 0.
 *
 * Source of PKRU: Linux, `init_pkru_value` in `arch/x86/mm/pkeys.c`.
 */
export const X8664_CONTROLS: X8664Controls = Object.freeze({
  wp: true,
  pge: true,
  smep: true,
  smap: true,
  ac: false,
  pke: true,
  pkru: 0x55555554,
  pks: false,
  pkrs: 0,
});

const RW = words(X86_BITS.RW).lo;
const US = words(X86_BITS.US).lo;
const NX = words(X86_BITS.NX).hi;
/** Position of the protection key (62:59) in the upper word. */
const PKEY_SHIFT = 27;

/** The rights of a translation, from all its levels. */
interface Rights {
  /** U/S is 1 at every level: the manual's "user-mode address". */
  readonly user: boolean;
  /** R/W is 1 at every level. */
  readonly write: boolean;
  /** XD is 0 at every level. */
  readonly execute: boolean;
  /** The leaf's protection key, 0 to 15. */
  readonly key: number;
}

function rightsOf(path: readonly Words[]): Rights {
  let lo = -1;
  let hi = 0;
  let leafHi = 0;
  for (const entry of path) {
    lo &= entry.lo;
    hi |= entry.hi;
    leafHi = entry.hi;
  }
  return {
    user: (lo & US) !== 0,
    write: (lo & RW) !== 0,
    execute: (hi & NX) === 0,
    key: (leafHi >>> PKEY_SHIFT) & 15,
  };
}

/**
 * Whether the key of a page refuses a data access.
 *
 * Source: SDM vol. 3A, Paging, "Protection Keys".
 */
function isKeyDenied(rights: Rights, access: Access, controls: X8664Controls): boolean {
  if (!(rights.user ? controls.pke : controls.pks)) return false;
  const bits = (rights.user ? controls.pkru : controls.pkrs) >>> (2 * rights.key);
  if ((bits & 1) !== 0) return true;
  return (bits & 2) !== 0 && access.kind === 'write' && (access.user || controls.wp);
}

/**
 * Why an access is refused, or `null` when it is allowed.
 *
 * A refusing key is reported even if another rule refuses too, since the error code then has PK set. One exception: U/S refuses a
 * user-mode access to a supervisor-mode address before any key.
 *
 * Source: SDM vol. 3A, Paging, "Determination of Access Rights".
 */
function refusal(rights: Rights, access: Access, controls: X8664Controls): FaultKind | null {
  if (access.user && !rights.user) return 'permission';
  if (access.kind === 'execute') {
    if (!rights.execute) return 'permission';
    return !access.user && rights.user && controls.smep ? 'permission' : null;
  }
  if (isKeyDenied(rights, access, controls)) return 'protection-key';
  if (!access.user && rights.user && controls.smap && !controls.ac) return 'permission';
  if (access.kind === 'write' && !rights.write && (access.user || controls.wp)) return 'permission';
  return null;
}

/** The permissions of the kernel and the user for a page. */
export function permissionsOf(path: readonly Words[], controls: X8664Controls): Permissions {
  const rights = rightsOf(path);
  const allowed = (user: boolean): Allowed => ({
    read: refusal(rights, { kind: 'read', user }, controls) === null,
    write: refusal(rights, { kind: 'write', user }, controls) === null,
    execute: refusal(rights, { kind: 'execute', user }, controls) === null,
  });
  return { kernel: allowed(false), user: allowed(true) };
}

/** The fault of an access to a mapped page. Its level is the first whose entry alone refuses, else the leaf's. */
export function checkAccess(path: readonly Words[], access: Access, controls: X8664Controls): Fault | null {
  const kind = refusal(rightsOf(path), access, controls);
  if (kind === null) return null;
  const first = kind === 'permission' ? path.findIndex((entry) => refuses(entry, access, controls)) : -1;
  return { kind, level: first === -1 ? path.length - 1 : first };
}

/** True when one entry alone refuses an access. */
function refuses(entry: Words, access: Access, controls: X8664Controls): boolean {
  if (access.user && (entry.lo & US) === 0) return true;
  if (access.kind === 'execute') return (entry.hi & NX) !== 0;
  return access.kind === 'write' && (entry.lo & RW) === 0 && (access.user || controls.wp);
}

/** Bits of the page-fault error code. */
const ERROR_P = 1 << 0;
const ERROR_WR = 1 << 1;
const ERROR_US = 1 << 2;
const ERROR_RSVD = 1 << 3;
const ERROR_ID = 1 << 4;
const ERROR_PK = 1 << 5;

/** Error-code bits by reason; kinds that do not raise #PF are absent. */
const REASON: Partial<Record<FaultKind, number>> = {
  'not-present': 0,
  reserved: ERROR_P | ERROR_RSVD,
  permission: ERROR_P,
  'protection-key': ERROR_P | ERROR_PK,
};

/**
 * The exception and error code of a fault.
 *
 * A non-canonical address is #GP(0); for a stack access it would be #SS(0). A table outside the memory is #MC, the closest
 * exception: the platform decides the result of a read without memory.
 *
 * Source: SDM vol. 3A, Paging, "Page-Fault Exceptions".
 *
 * @param nxe - EFER.NXE, which with SMEP decides whether I/D is reported.
 * @throws VmError `EINVAL` for the kinds that x86-64 does not have: `address-size` and `access-flag`.
 */
export function faultCodeOf(fault: Fault, access: Access, controls: X8664Controls, nxe: boolean): FaultCode {
  if (fault.kind === 'address') return { name: '#GP', code: 0 };
  if (fault.kind === 'external') return { name: '#MC', code: 0 };
  let code = REASON[fault.kind];
  if (code === undefined) throw new VmError('EINVAL', `x86-64 raises no fault of the kind ${fault.kind}`);
  if (access.kind === 'write') code |= ERROR_WR;
  if (access.user) code |= ERROR_US;
  if (access.kind === 'execute' && (nxe || controls.smep)) code |= ERROR_ID;
  return { name: '#PF', code };
}
