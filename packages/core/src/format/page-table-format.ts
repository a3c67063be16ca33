import type { Words } from '../words.js';
import type { Access, Controls, Permissions } from './access.js';
import type { AddressField, Level, Match } from './entry.js';
import type { Fault, FaultCode } from './fault.js';
import type { MemoryType, Protection } from './protection.js';

/**
 * The virtual addresses that one root translates.
 *
 * arm64's TTBR0 (`zeros`) and TTBR1 (`ones`) are two formats with a root each; x86-64 and riscv64 have one
 * root for both halves (`sign`).
 */
export interface VirtualRange {
  /** Bits of an address that the tables translate: the sum of the level bits and `pageShift`. */
  readonly bits: number;
  /** What all bits above must be: 0, 1, or copies of bit `bits - 1` (canonical addresses). */
  readonly upper: 'zeros' | 'ones' | 'sign';
}

/**
 * The contract that a page-table format implements: the architecture manual as data, and small pure
 * functions for what is no data.
 *
 * The engine reads the data once, when a `PageTable` is made, and calls the functions once per call
 * and level, never per entry. A format object is immutable and holds no state. Entries are 64-bit,
 * little-endian.
 *
 * A `level` is an index into `levels`: 0 is the root. A *path* lists the entries a walk went through, root
 * first, the leaf last.
 *
 * @typeParam C - the controls (processor modes) that the format knows.
 */
export interface PageTableFormat<C extends Controls = Controls> {
  /** Name for people and for `--format`: `x86-64`, `arm64-16k-47`. */
  readonly name: string;
  /** log2 of the base page in bytes: 12, 14 or 16. A table fills one base page. */
  readonly pageShift: number;
  /** Width of a physical address in bits; frames at or above `2 ** (paBits - pageShift)` are refused. */
  readonly paBits: number;
  /** Which virtual addresses a root translates. */
  readonly range: VirtualRange;
  /** Entries that match are looked at by the MMU; others that are not 0 are `absent`. */
  readonly present: Match;
  /** Root first; one to five. Each level's shift is the sum of the bits below it and `pageShift`. */
  readonly levels: readonly Level[];
  /**
   * Where the physical address stands in an entry, at every level. A leaf above the last level uses only the
   * bits at or above its size.
   */
  readonly address: readonly AddressField[];
  /** What an entry that points to a table carries beside the address (x86-64 Linux: 0x067). */
  readonly tableEntry: Words;
  /** The memory types that `encode` can say. */
  readonly memoryTypes: readonly MemoryType[];
  /** The controls a walk uses when none are given: a current kernel's. */
  readonly controls: C;

  /**
   * The bits of a leaf at `level` that grants `protection`, without the address.
   *
   * It never marks a run: `run.set` is the engine's, and `extra` must not hold it.
   *
   * @param level - one that has leaves; the engine calls this, `decode`, `change` and `relevel` for no other.
   * @throws VmError `EINVAL` when the format cannot say it: the message names the member and what is possible.
   */
  encode(protection: Protection, level: number): Words;

  /**
   * The protection that a leaf at `level` carries by itself: `encode(decode(w))` gives `w` without its address and
   * without the mark of a run.
   */
  decode(leaf: Words, level: number): Protection;

  /**
   * A leaf after a change of its protection: what `encode` says, in the bits that a protection owns.
   *
   * The address, the mark of a run (`run.set`), software bits and other `extra` survive, and so do accessed and dirty,
   * the way the architecture keeps them: x86-64 drops D where write permission goes (D without RW is a shadow stack),
   * arm64 keeps DBM and AP[2] consistent. The engine calls it once for each different entry of a range, not per entry.
   *
   * @throws VmError `EINVAL` as `encode`.
   */
  change(leaf: Words, protection: Protection, level: number): Words;

  /**
   * A leaf's bits moved from one level to another: x86-64 moves PAT between bits 7 and 12 and sets PS, arm64 swaps the
   * type bits. For split and collapse. The address stays; it is a multiple of the larger of the two sizes. The mark of
   * a run goes.
   */
  relevel(leaf: Words, from: number, to: number): Words;

  /**
   * True when going from one valid entry to another needs the entry to be invalid in between (break-before-make):
   * invalid, flush, write. The two may be of different kinds (block and table) and differ in the mark of a run. The
   * engine never changes the size of a mapping and its other attributes in one write.
   */
  needsBreak(before: Words, after: Words, level: number): boolean;

  /** What the translation allows, over all levels. */
  permissions(path: readonly Words[], controls: C): Permissions;

  /** The fault of an access to a page that is mapped, or `null` when it is allowed. */
  check(path: readonly Words[], access: Access, controls: C): Fault | null;

  /**
   * The entry after the MMU has used it for an allowed access: accessed and, for a write to a leaf, dirty bits, where
   * hardware sets them under these controls.
   *
   * @param level - of the entry; a leaf when `kind` says so.
   * @returns the same object when nothing changes.
   */
  touch(entry: Words, level: number, kind: 'table' | 'leaf', access: Access, controls: C): Words;

  /**
   * The architecture's number for a fault.
   *
   * @throws VmError `EINVAL` for a kind that the architecture never raises.
   */
  faultCode(fault: Fault, access: Access, controls: C): FaultCode;
}
