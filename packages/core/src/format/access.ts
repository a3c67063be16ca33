import { choiceOption, flagOption } from '../check/members.js';
import { optionsOf } from '../check/options.js';

/** One memory access, as the MMU sees it. */
export interface Access {
  /** What the access does. An atomic read-modify-write is a `write`. */
  readonly kind: 'read' | 'write' | 'execute';
  /** True for user mode (x86-64 CPL 3, arm64 EL0, riscv64 U). */
  readonly user: boolean;
}

/**
 * Processor modes that change what a translation allows: x86-64 CR0.WP, SMEP, SMAP, PKRU; arm64 WXN,
 * E0PD, PAN, HPD, TBI; riscv64 SUM, MXR. Each format declares its own members and their defaults: `true` or `false`,
 * unsigned 32-bit numbers, unsigned 64-bit bigints, or text.
 */
export type Controls = object;

/** What one privilege may do with a page. */
export interface Allowed {
  /** Loads. */
  readonly read: boolean;
  /** Stores. */
  readonly write: boolean;
  /** Instruction fetches. */
  readonly execute: boolean;
}

/** The effective permissions of a translation, over all levels and under given controls. */
export interface Permissions {
  /** Supervisor mode (x86-64 CPL 0–2, arm64 EL1, riscv64 S). */
  readonly kernel: Allowed;
  /** User mode. */
  readonly user: Allowed;
}

/**
 * Refuses a misspelt access: it must not look allowed.
 *
 * @returns a copy, each member read once.
 * @throws VmError `EINVAL` naming the member.
 */
export function checkAccess(access: Access): Access {
  const given = optionsOf(access, ['kind', 'user'], 'the access', 'member');
  return {
    kind: choiceOption(given, 'kind', ['read', 'write', 'execute']),
    user: flagOption(given, 'user'),
  };
}
