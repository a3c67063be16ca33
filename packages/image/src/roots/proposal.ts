import type { Vmcoreinfo } from '../notes/vmcoreinfo.js';

/**
 * Whose tables a root is.
 *
 * - `kernel`: the kernel's own, swapper_pg_dir.
 * - `process`: a process's. On x86-64 and riscv64 it has the kernel's half, too.
 * - `user`: what a processor uses in user mode, where the kernel hides itself (PTI): the process, and little of the kernel.
 */
export type RootRole = 'kernel' | 'process' | 'user';

/** How a root was found. In this order they are believed. */
export type RootOrigin = 'vmcoreinfo' | 'processor' | 'scan';

/** What a root translates, as the place where the root is from says it. */
export interface Expectation {
  /** What is there: `_stext`. */
  readonly what: string;
  readonly va: bigint;
  readonly pa: bigint;
}

/** A root that somebody may believe in, as data. */
export interface Proposal {
  /** Name of the format: a member of the `formats` of `findRoots`. */
  readonly format: string;
  /** Options of the format. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Processor modes, as far as they are known. */
  readonly controls: Readonly<Record<string, unknown>>;
  /** Physical address of the root table in bytes. */
  readonly root: bigint;
  readonly role: RootRole;
  readonly origin: RootOrigin;
  /** Where it is from, in words: the formula, the register, the address. */
  readonly from: string;
  readonly expected: readonly Expectation[];
  /** What the kernel says of itself, where the root is from that. */
  readonly vmcoreinfo: Vmcoreinfo | null;
}

/** What a scan tries: a format with options, and what sets its kernel roots apart. */
export interface Shape {
  readonly format: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** log2 of the bytes of a page. */
  readonly pageShift: number;
  /** A bit that every entry of the root has: by it, formats are told apart that differ in nothing else. `null` for none. */
  readonly mark: number | null;
}

/** How roots of processes are told by the kernel's half that they share. */
export interface SharedHalf {
  /** Slots of the root before this one, as a share of all: the process's own. 2 is the first half. */
  readonly userShare: number;
  /** Bits of an entry's low word that a processor changes in a copy: accessed and dirty. */
  readonly changing: number;
  /** Addresses of the kernel's half that each process has for itself. */
  readonly own: readonly bigint[];
  /** Bytes from a process's root to the one of its user mode, where the kernel hides itself; `null` where it never does. */
  readonly userRootAt: number | null;
  /** Bits of an entry's high word by which the two differ in the process's half. */
  readonly userRootDiffers: number;
}

/** All that this package knows of one architecture. Nothing outside of these tables asks which one it is. */
export interface MachineKind {
  /** ELF's number of the machine. */
  readonly number: number;
  /** What utsname and the banner call it. */
  readonly uts: string;
  /** Keys that only this architecture has in VMCOREINFO. */
  readonly marks: readonly string[];
  /** The root that VMCOREINFO names; text when it lacks something. */
  fromVmcoreinfo(info: Vmcoreinfo): Proposal | string;
  /** The roots that registers name. */
  fromProcessor(registers: ReadonlyMap<string, bigint>, source: string): readonly Proposal[];
  /** What a scan tries, in this order. */
  readonly shapes: readonly Shape[];
  /**
   * Where the kernel's image is in its own tables: a range that never changes. `null` where it may be
   * anywhere in the half that the direct map is not in.
   */
  readonly kernelImage: { readonly va: bigint; readonly bytes: bigint } | null;
  /** `null` where a process's root has nothing of the kernel. */
  readonly sharedHalf: SharedHalf | null;
}

/** A value of 64 bits, as a register has it. */
export function wrapped(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

/** Names of what VMCOREINFO lacks, as a clause; `null` when it has all. */
export function lacks(values: Readonly<Record<string, bigint | number | null>>): string | null {
  const missing = Object.entries(values)
    .filter(([, value]) => value === null)
    .map(([name]) => name);
  return missing.length === 0 ? null : `VMCOREINFO has no ${missing.join(', no ')}`;
}

/** A bit of a register. */
export function bit(value: bigint, position: number): boolean {
  return ((value >> BigInt(position)) & 1n) === 1n;
}
