import type { Random } from '@vmarea/compare';
import type { Configuration, Controls, PageTableFormat, Walk } from '@vmarea/core';
import type { GuestAccess } from './guest/layout.js';
import type { Ram } from './guest/ram.js';
import type { Plant } from './plants.js';

/** What differs between batches, as in JSON: options of the format, and controls. */
export type Settings = Readonly<Record<string, number | boolean | string>>;

/** A tested format and its controls. */
export interface Subject<C extends Controls = Controls> {
  readonly format: PageTableFormat<C>;
  readonly controls: C;
}

/** The outcome of an access. */
export type Outcome =
  /** The access was made, at this address if known. */
  | { readonly kind: 'done'; readonly pa: bigint | null; readonly unit: number | null }
  | {
      readonly kind: 'fault';
      readonly name: string;
      readonly code: number;
      /** The address that the processor reports; `null` for none. */
      readonly address: bigint | null;
    }
  /** An outcome that no access should have. */
  | { readonly kind: 'odd'; readonly what: string };

/** A difference between QEMU and the manual. */
export interface Deviation {
  readonly name: string;
  /** The first version with the difference, and the first one without it; `null` when none is known. */
  readonly from: string;
  readonly to: string | null;
  /** What the manual says, and what QEMU does. */
  readonly about: string;
  /**
   * True for an access with this difference.
   *
   * @param walk - the model's walk.
   */
  readonly concerns: (subject: Subject, walk: Walk, access: GuestAccess) => boolean;
  /**
   * The outcome in that QEMU; `null` when it is unknown. Then such accesses are not made.
   *
   * @param made - the outcome if nothing refused the access; `null` when the address is not mapped.
   */
  readonly instead: ((outcome: Outcome, made: Outcome | null) => Outcome) | null;
  /** Bits that it sets in the last entry of the walk, and the manual does not. */
  readonly marks?: bigint;
}

/** The physical memory of a machine. */
export interface MachineRam {
  /** Length in bytes. */
  readonly bytes: bigint;
  /** The physical address of the stub. */
  readonly stub: bigint;
  /** The offset of an address in the memory. It is outside the memory for an address without any. */
  readonly offsetOf: (pa: bigint) => bigint;
  /** The banks for tables: physical address and bytes. */
  readonly banks: readonly { readonly base: bigint; readonly bytes: number }[];
  /** The addresses of frames that accesses may reach: [from, to). */
  readonly frames: readonly [from: bigint, to: bigint];
  /** True for an address without memory and without a device. */
  readonly isEmpty: (pa: bigint) => boolean;
}

/** A QEMU machine that judges the formats of an architecture, see docs/fidelity.md. */
export interface Target {
  readonly name: string;
  /** QEMU's program, such as `qemu-system-aarch64`, and its Debian package. */
  readonly binary: string;
  readonly debianPackage: string;
  readonly ram: MachineRam;
  /** The numbers of the accesses that the stub can make. */
  readonly accesses: readonly number[];
  /** True for a configuration of this architecture. */
  readonly judges: (configuration: Configuration) => boolean;
  /** Writes the stub into the memory, and files for QEMU into the folder. Returns their paths. */
  readonly install: (ram: Ram, folder: string, format: PageTableFormat) => readonly string[];
  /** QEMU's arguments for machine and processor. */
  readonly qemuArguments: (
    format: PageTableFormat,
    files: readonly string[],
    version: string,
  ) => readonly string[];
  /** Draws the settings of a batch, among those that this version of QEMU supports. */
  readonly settings: (configuration: Configuration, random: Random, version: string) => Settings;
  /** The format and controls of settings. */
  readonly subject: (configuration: Configuration, settings: Settings) => Subject;
  /** The stub's registers for a batch. */
  readonly registers: (subject: Subject, root: bigint) => readonly bigint[];
  /** Writes into the memory what else the stub needs for a subject. */
  readonly prepare: (ram: Ram, subject: Subject) => void;
  /** The entries that every root must have, by slot. */
  readonly rootEntries: (format: PageTableFormat) => ReadonlyMap<number, bigint>;
  /**
   * The accesses of an address that are useful under these settings, a bit for each.
   *
   * @param walk - the walk of the address without an access.
   */
  readonly mask: (subject: Subject, walk: Walk) => number;
  /** Code that loads a unit's number into the register that the stub stores, and traps: at most 16 bytes. */
  readonly code: (unit: number) => Uint8Array;
  /** Reads the result of an access to the unit at `va`. */
  readonly outcome: (result: BigUint64Array, access: GuestAccess, va: bigint) => Outcome;
  /** The outcome of an allowed access without memory; `null` when it is made and reads any value. */
  readonly noMemory: ((access: GuestAccess, va: bigint) => Outcome) | null;
  /** The controls that apply to an access. */
  readonly controls: (subject: Subject, access: GuestAccess) => Controls;
  readonly deviations: readonly Deviation[];
  /** Bits of a table entry that take rights from all that is below it. Default: none. */
  readonly tableBits?: bigint;
  readonly plants: readonly Plant[];
  /** The names of the configurations for planted faults: those that differ most. */
  readonly planted: readonly string[];
}
