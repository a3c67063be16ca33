import type { Configuration, Controls, PageTableFormat, Walk } from '@vmarea/core';
import type { Random } from '../random.js';
import type { GuestAccess } from './guest/layout.js';
import type { Ram } from './guest/ram.js';
import type { Plant } from './plants.js';

/** What varies from batch to batch, as JSON has it: options of the format and controls. */
export type Settings = Readonly<Record<string, number | boolean | string>>;

/** A format and controls under test. */
export interface Subject<C extends Controls = Controls> {
  readonly format: PageTableFormat<C>;
  readonly controls: C;
}

/** What an access led to. */
export type Outcome =
  /** It was made, at this address as far as that is known. */
  | { readonly kind: 'done'; readonly pa: bigint | null; readonly unit: number | null }
  | {
      readonly kind: 'fault';
      readonly name: string;
      readonly code: number;
      /** The address that the processor reports; `null` where it reports none. */
      readonly address: bigint | null;
    }
  /** Something that no access should lead to. */
  | { readonly kind: 'odd'; readonly what: string };

/** A way in which a QEMU differs from the manual. */
export interface Deviation {
  readonly name: string;
  /** The versions that do: from the first on, up to before the second; `null` for the newest known. */
  readonly from: string;
  readonly to: string | null;
  /** What the manual says, and what QEMU does. */
  readonly about: string;
  /**
   * True for an access that meets it.
   *
   * @param walk - the model's.
   */
  readonly concerns: (subject: Subject, walk: Walk, access: GuestAccess) => boolean;
  /**
   * What that QEMU leads to instead; `null` where that cannot be told: such accesses are not made.
   *
   * @param made - what the access would lead to if nothing refused it; `null` where the address is not mapped.
   */
  readonly instead: ((outcome: Outcome, made: Outcome | null) => Outcome) | null;
  /** Bits that it sets in an entry where the manual has none set: of the last entry that the walk read. */
  readonly marks?: bigint;
}

/** Physical memory of a machine. */
export interface MachineRam {
  /** Length in bytes. */
  readonly bytes: bigint;
  /** Physical address of the stub. */
  readonly stub: bigint;
  /** Where in memory an address is; negative for none. */
  readonly offsetOf: (pa: bigint) => bigint;
  /** Banks for tables: physical address and bytes. */
  readonly banks: readonly { readonly base: bigint; readonly bytes: number }[];
  /** Where frames may be that accesses reach: [from, to). */
  readonly frames: readonly [from: bigint, to: bigint];
  /** True for an address where there is nothing at all: neither memory nor a device. */
  readonly isEmpty: (pa: bigint) => boolean;
}

/** A machine of QEMU that judges the formats of an architecture: see docs/fidelity.md. */
export interface Target {
  readonly name: string;
  /** `qemu-system-aarch64`, and the Debian package that has it. */
  readonly binary: string;
  readonly debianPackage: string;
  readonly ram: MachineRam;
  /** The accesses that the stub can make, by number. */
  readonly accesses: readonly number[];
  /** True for a configuration of this architecture. */
  readonly judges: (configuration: Configuration) => boolean;
  /** Puts the stub into the memory, and files that QEMU needs into the folder: their paths. */
  readonly install: (ram: Ram, folder: string, format: PageTableFormat) => readonly string[];
  /** Arguments for machine and processor. */
  readonly qemuArguments: (
    format: PageTableFormat,
    files: readonly string[],
    version: string,
  ) => readonly string[];
  /** Settings of a batch, drawn: those that this version of QEMU can have. */
  readonly settings: (configuration: Configuration, random: Random, version: string) => Settings;
  /** What settings mean. */
  readonly subject: (configuration: Configuration, settings: Settings) => Subject;
  /** The stub's registers for a batch. */
  readonly registers: (subject: Subject, root: bigint) => readonly bigint[];
  /** Puts what else the stub needs for a subject into the memory. */
  readonly prepare: (ram: Ram, subject: Subject) => void;
  /** Entries that every root must have: slot and value. */
  readonly rootEntries: (format: PageTableFormat) => ReadonlyMap<number, bigint>;
  /**
   * Accesses of an address that make sense under these settings, a bit for each.
   *
   * @param walk - of the address, by no access in particular.
   */
  readonly mask: (subject: Subject, walk: Walk) => number;
  /** Code that puts a unit's number in the register that the stub stores, and traps: 16 bytes at most. */
  readonly code: (unit: number) => Uint8Array;
  /** Reads a result of an access to the unit at `va`. */
  readonly outcome: (result: BigUint64Array, access: GuestAccess, va: bigint) => Outcome;
  /** What an allowed access leads to where there is no memory; `null` when it is made and reads anything. */
  readonly noMemory: ((access: GuestAccess, va: bigint) => Outcome) | null;
  /** The controls that count for an access. */
  readonly controls: (subject: Subject, access: GuestAccess) => Controls;
  readonly deviations: readonly Deviation[];
  readonly plants: readonly Plant[];
  /** Names of the configurations that faults are planted in: what differs most between them. */
  readonly planted: readonly string[];
}
