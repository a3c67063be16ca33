import {
  choiceOption,
  completeControls,
  type Fault,
  type FaultCode,
  flagOption,
  optionsOf,
  VmError,
  type Walk,
} from '@vmarea/core';
import { X86_BITS } from './bits.js';
import { X8664_CONTROLS, type X8664Controls } from './permissions.js';

const { RW, US, D } = X86_BITS;

/** Bits of the page-fault error code. */
const ERROR = { P: 1 << 0, WR: 1 << 1, US: 1 << 2, PK: 1 << 5, SS: 1 << 6 };

/** A read or write of a shadow stack, as CALL, RET, INCSSP and WRSS make it. */
export interface ShadowStackAccess {
  readonly kind: 'read' | 'write';
  /** By user mode (CPL 3), or WRUSS. */
  readonly user: boolean;
}

/**
 * The fault of a shadow-stack access, where CR4.CET is set and shadow stacks are on.
 *
 * CET changes no other access: a shadow-stack page has R/W clear in the leaf, so ordinary accesses may read it. A shadow-stack access
 * may use such pages alone: R/W set in every entry but the leaf, R/W clear and D set in the leaf, and a user-mode address for user
 * mode, a supervisor-mode one for the supervisor. Protection keys apply. SMAP does not: the supervisor has no shadow-stack access to
 * user-mode addresses.
 *
 * Source: SDM vol. 3A, Paging, "Determination of Access Rights" (shadow-stack accesses) and "Page-Fault Exceptions" (SS, bit 6).
 *
 * @param walk - what `walk(va)` said, without an access.
 * @param controls - those that differ from `X8664_CONTROLS`.
 * @returns `null` when it is allowed; the fault of the walk itself has its SS bit set here.
 * @throws VmError `EINVAL` for an access or control that does not exist.
 * @example
 * ```ts
 * shadowStackFault(table.walk(ssp), { kind: 'write', user: true })?.code; // { name: '#PF', code: 0x47 }: not a shadow stack
 * ```
 */
export function shadowStackFault(
  walk: Walk,
  access: ShadowStackAccess,
  controls?: Partial<X8664Controls>,
): (Fault & { readonly code: FaultCode }) | null {
  const given = optionsOf(access, ['kind', 'user'], 'the shadow-stack access', 'member');
  const kind = choiceOption(given, 'kind', ['read', 'write']);
  const user = flagOption(given, 'user');
  const { pke, pkru, pks, pkrs } = completeControls(X8664_CONTROLS, controls, 'x86-64');
  const cause = ERROR.SS | (kind === 'write' ? ERROR.WR : 0) | (user ? ERROR.US : 0);
  if (!Array.isArray(walk?.steps)) {
    throw new VmError('EINVAL', 'the walk has no steps', { advice: 'pass what walk(va) returned' });
  }
  const { fault, leaf, steps } = walk;
  if (leaf === null || fault !== null) {
    if (fault === null || fault.code.name !== '#PF') return fault;
    const reason = fault.code.code & ~(ERROR.WR | ERROR.US);
    return { ...fault, code: { name: '#PF', code: reason | cause } };
  }
  const level = steps.length - 1;
  const entries = steps.map(({ entry }) => entry);
  const own = entries[level] as bigint;
  const refused = (why: 'permission' | 'protection-key', extra = 0) => ({
    ...{ kind: why, level },
    code: { name: '#PF', code: ERROR.P | extra | cause },
  });
  const isUserAddress = entries.every((entry) => (entry & US) !== 0n);
  if (user && !isUserAddress) return refused('permission');
  const isOn = isUserAddress ? pke : pks;
  const rights = isOn ? (isUserAddress ? pkru : pkrs) >>> (2 * Number((own & X86_BITS.PKEY) >> 59n)) : 0;
  if ((rights & 1) !== 0 || ((rights & 2) !== 0 && kind === 'write'))
    return refused('protection-key', ERROR.PK);
  const isShadowStack =
    entries.slice(0, level).every((entry) => (entry & RW) !== 0n) && (own & RW) === 0n && (own & D) !== 0n;
  return isShadowStack && user === isUserAddress ? null : refused('permission');
}
