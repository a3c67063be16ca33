import type { PageTableReader } from '@vmarea/core';
import type { RootCheck } from './checks.js';
import type { RootOrigin, RootRole } from './proposal.js';

/** A root that may be the kernel's or a process's, and why one may believe it. */
export interface RootCandidate {
  /** ELF's number of the machine. */
  readonly machine: number;
  /** Name of the format: a member of `formats`. */
  readonly format: string;
  /** Options of the format, as data. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Processor modes, as far as they are known. */
  readonly controls: Readonly<Record<string, unknown>>;
  /** Physical address of the root table in bytes. */
  readonly root: bigint;
  readonly role: RootRole;
  readonly origin: RootOrigin;
  /** Where it is from, in words: the formula, the register, the address. */
  readonly from: string;
  /** What was checked. */
  readonly checks: readonly RootCheck[];
  readonly isBelieved: boolean;
  /** Why it is not believed; `null` when it is. */
  readonly whyNot: string | null;
  /** Its tables; `null` when they could not be opened. */
  readonly table: PageTableReader | null;
}
