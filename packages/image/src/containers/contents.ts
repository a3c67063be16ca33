import { type MemorySource, VmError } from '@vmarea/core';
import type { NoteBytes } from '../notes/elf-notes.js';

/** The containers that are recognised, and raw memory. */
export type ContainerKind = 'elf' | 'kdump' | 'lime' | 'avml' | 'ptimage' | 'raw';

/**
 * What a dump says of a physical address.
 *
 * - `present`: it has the bytes.
 * - `zero`: it left them out because they are zero.
 * - `excluded`: it left them out: zero, or not of interest.
 * - `cut`: they should be in the file, but it ends before, or they are damaged.
 * - `absent`: it says nothing of the address.
 */
export type PageState = 'present' | 'zero' | 'excluded' | 'cut' | 'absent';

/** A range of physical addresses in bytes: from the first to before the last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The physical memory in a container, and what else it says. */
export interface Contents extends MemorySource {
  readonly kind: ContainerKind;
  /** ELF's number of the machine; `null` when the container does not say it. */
  readonly machine: number | null;
  /** Bytes of a page, as the container counts them; `null` when it counts none. */
  readonly pageSize: number | null;
  /** ELF notes, where the container has some. */
  readonly notes: readonly NoteBytes[];
  /** The text of VMCOREINFO, where the container says where it is. */
  readonly vmcoreinfo: Uint8Array | null;
  /** The six strings of utsname: system, node, release, version, machine, domain. Empty ones are unknown. */
  readonly uts: readonly string[] | null;
  /** Registers by name in lower case, where the container has some outside of notes. */
  readonly registers: ReadonlyMap<string, bigint> | null;
  /** What is not as it should be, in words for people. */
  readonly warnings: readonly string[];
  whyNot(address: number): string | null;
  isZeroFrame(address: number, bytes: number): boolean;
  stateOf(address: number): PageState;
  /** The first address at or after one that may have bytes; -1 when none has. It is for loops over all of them. */
  nextPresent(address: number): number;
  /** The ranges that the container describes, ascending, whether it has their bytes or not. */
  spans(): IterableIterator<Span>;
}

/** What most containers lack. */
export const NOTHING = {
  machine: null,
  pageSize: null,
  notes: [],
  vmcoreinfo: null,
  uts: null,
  registers: null,
} as const;

/** Physical addresses are below 2^52, as core's. */
export const ADDRESS_LIMIT: number = 2 ** 52;

/** The error of a read of a page that `adjacent` did not give. */
export function noPage(address: number): VmError {
  return new VmError('EFAULT', 'the dump has no page here', { address: BigInt(address) });
}

/**
 * Reads bytes that follow each other.
 *
 * @returns how many there are: fewer than asked for where the dump has no more.
 */
export function readAdjacent(contents: Contents, address: number, into: Uint8Array): number {
  let done = 0;
  while (done < into.length) {
    const part = Math.min(contents.adjacent(address + done), into.length - done);
    if (part === 0) break;
    contents.read(address + done, into.subarray(done, done + part));
    done += part;
  }
  return done;
}
