import {
  type Access,
  type Allowed,
  type Fault,
  type FaultCode,
  type Permissions,
  toBigint,
  VmError,
  type Words,
  words,
} from '@vmarea/core';
import { RISCV_BITS } from './bits.js';

const { R, W, X, U, A, D } = RISCV_BITS;

/**
 * The modes that change what a riscv64 translation allows.
 *
 * Source: RISC-V privileged specification, "Memory Privilege in sstatus Register"; "Machine Environment Configuration
 * (menvcfg) Register" and chapter "Svadu".
 */
export interface Riscv64Controls {
  /** sstatus.SUM, bit 18: supervisor loads and stores may use pages of user mode. */
  readonly sum: boolean;
  /** sstatus.MXR, bit 19: loads may use execute-only pages. */
  readonly mxr: boolean;
  /** menvcfg.ADUE, bit 61 (Svadu): hardware sets A and D. When false, an access that needs them set faults (Svade). */
  readonly adue: boolean;
}

/**
 * The modes in which Linux runs its kernel: SUM and MXR clear, and A and D left to page faults, as on every processor
 * without Svadu.
 *
 * Source: Linux, `arch/riscv/kernel/head.S` and `arch/riscv/include/asm/uaccess.h`, which sets SUM around accesses to user
 * memory only.
 */
export const RISCV64_CONTROLS: Riscv64Controls = Object.freeze({ sum: false, mxr: false, adue: false });

/** The permissions of one privilege for a leaf, whatever A and D are. */
function allowedTo(user: boolean, bits: bigint, { sum, mxr }: Riscv64Controls): Allowed {
  const isUserPage = (bits & U) !== 0n;
  const mayUse = user ? isUserPage : !isUserPage || sum;
  return {
    read: mayUse && ((bits & R) !== 0n || (mxr && (bits & X) !== 0n)),
    write: mayUse && (bits & W) !== 0n,
    // "Irrespective of SUM, the supervisor may not execute code on pages with U=1."
    execute: user === isUserPage && (bits & X) !== 0n,
  };
}

function leafOf(path: readonly Words[]): bigint {
  return toBigint(path[path.length - 1] as Words);
}

/** The permissions of the kernel and the user for a page. Entries that point to tables forbid nothing. */
export function permissionsOf(path: readonly Words[], controls: Riscv64Controls): Permissions {
  const bits = leafOf(path);
  return { kernel: allowedTo(false, bits, controls), user: allowedTo(true, bits, controls) };
}

/**
 * The fault of an access to a mapped page.
 *
 * Source: RISC-V privileged specification, "Virtual Address Translation Process", steps 5 and 7 (9 in newer editions).
 */
export function checkAccess(path: readonly Words[], access: Access, controls: Riscv64Controls): Fault | null {
  const bits = leafOf(path);
  const level = path.length - 1;
  if (!allowedTo(access.user, bits, controls)[access.kind]) return { kind: 'permission', level };
  const wanted = access.kind === 'write' ? A | D : A;
  return controls.adue || (bits & wanted) === wanted ? null : { kind: 'access-flag', level };
}

const ACCESSED = words(A).lo;
const DIRTY = words(D).lo;

/** A leaf after an allowed access: with ADUE, hardware sets A, and D for a write. Tables have neither bit. */
export function touched(
  entry: Words,
  kind: 'table' | 'leaf',
  access: Access,
  { adue }: Riscv64Controls,
): Words {
  if (kind === 'table' || !adue) return entry;
  const lo = entry.lo | ACCESSED | (access.kind === 'write' ? DIRTY : 0);
  return lo === entry.lo ? entry : { lo, hi: entry.hi };
}

const PAGE_FAULTS = { execute: 12, read: 13, write: 15 } as const;
const ACCESS_FAULTS = { execute: 1, read: 5, write: 7 } as const;

/**
 * The exception code of a fault: a page fault of the access's kind, or an access fault where a table has no bytes.
 *
 * Source: RISC-V privileged specification, table "Supervisor cause (scause) register values after trap". An atomic
 * read-modify-write counts as a store.
 *
 * @throws VmError `EINVAL` for the kinds that riscv64 does not have: `address-size` and `protection-key`.
 */
export function faultCodeOf({ kind }: Fault, access: Access): FaultCode {
  if (kind === 'address-size' || kind === 'protection-key') {
    throw new VmError('EINVAL', `riscv64 raises no fault of the kind ${kind}`);
  }
  const codes = kind === 'external' ? ACCESS_FAULTS : PAGE_FAULTS;
  return { name: 'scause', code: codes[access.kind] };
}
