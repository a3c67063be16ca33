import { flagOption } from '../check/members.js';
import { optionsOf } from '../check/options.js';

/** Marks of a region (VM_ flags). All are false by default, those that begin with `may` are true. */
export interface RegionFlags {
  /** `fork` leaves it out (VM_DONTCOPY). */
  readonly dontCopy?: boolean;
  /** `mremap` cannot make it longer (VM_DONTEXPAND). */
  readonly dontExpand?: boolean;
  /** Not part of a core dump (VM_DONTDUMP). */
  readonly dontDump?: boolean;
  /** Maps registers of a device (VM_IO). */
  readonly io?: boolean;
  /** Nobody counts its frames: they belong to somebody else (VM_PFNMAP). */
  readonly pfnMap?: boolean;
  /** Holds frames that `insertPage` put there (VM_MIXEDMAP). `insertPage` sets it. */
  readonly mixedMap?: boolean;
  /** `mprotect` may give the right to read (VM_MAYREAD). */
  readonly mayRead?: boolean;
  /** `mprotect` may give the right to write (VM_MAYWRITE). */
  readonly mayWrite?: boolean;
  /** `mprotect` may give the right to execute (VM_MAYEXEC). */
  readonly mayExecute?: boolean;
}

/** Rights of a region. A member that is missing is false. */
export interface RegionRights {
  /** PROT_READ. */
  readonly read?: boolean;
  /** PROT_WRITE. */
  readonly write?: boolean;
  /** PROT_EXEC. */
  readonly execute?: boolean;
}

// Bits of `vm_flags`: include/linux/mm.h (6.12).

export const VM_READ = 0x1;
export const VM_WRITE = 0x2;
export const VM_EXEC = 0x4;
export const VM_SHARED = 0x8;
const VM_MAYREAD = 0x10;
export const VM_MAYWRITE = 0x20;
const VM_MAYEXEC = 0x40;
export const VM_PFNMAP = 0x400;
const VM_IO = 0x4000;
export const VM_DONTCOPY = 0x2_0000;
export const VM_DONTEXPAND = 0x4_0000;
export const VM_DONTDUMP = 0x400_0000;
export const VM_MIXEDMAP = 0x1000_0000;

/** VM_READ, VM_WRITE and VM_EXEC. */
export const ACCESS: number = VM_READ | VM_WRITE | VM_EXEC;
/** A region with one of these merges with none. */
export const VM_SPECIAL: number = VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP;
/** What a new region has: all rights may be given later. */
export const ALL_MAY: number = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;

const BITS = {
  dontCopy: VM_DONTCOPY,
  dontExpand: VM_DONTEXPAND,
  dontDump: VM_DONTDUMP,
  io: VM_IO,
  pfnMap: VM_PFNMAP,
  mixedMap: VM_MIXEDMAP,
  mayRead: VM_MAYREAD,
  mayWrite: VM_MAYWRITE,
  mayExecute: VM_MAYEXEC,
} as const satisfies Record<keyof RegionFlags, number>;
const NAMES = Object.keys(BITS) as (keyof RegionFlags)[];

/** The names of `RegionRights`, in the order of their bits. */
export const RIGHTS = ['read', 'write', 'execute'] as const;

/** The bits with some marks changed. */
export function withFlags(bits: number, flags: RegionFlags | undefined, what: string): number {
  const given = optionsOf(flags, NAMES, what, 'member');
  let changed = bits;
  for (const name of NAMES) {
    if (given[name] === undefined) continue;
    changed = flagOption(given, name) ? changed | BITS[name] : changed & ~BITS[name];
  }
  return changed;
}

/** The marks of a region, complete. */
export function flagsOf(bits: number): Required<RegionFlags> {
  return Object.freeze(
    Object.fromEntries(NAMES.map((name) => [name, (bits & BITS[name]) !== 0])),
  ) as unknown as Required<RegionFlags>;
}

/** VM_READ, VM_WRITE and VM_EXEC of checked options. */
export function rightsOf(given: { readonly [Name in keyof RegionRights]?: unknown }): number {
  return RIGHTS.reduce((bits, name, i) => (flagOption(given, name, false) ? bits | (1 << i) : bits), 0);
}

/** True when the bits give a right that they do not allow to be given. */
export function isForbidden(bits: number): boolean {
  return (bits & ACCESS & ~(bits >>> 4)) !== 0;
}
