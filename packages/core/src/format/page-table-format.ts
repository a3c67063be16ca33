import type { Words } from '../words.js';
import type { Access, Controls, Permissions } from './access.js';
import type { AddressField, Level, Match } from './entry.js';
import type { Fault, FaultCode } from './fault.js';
import type { MemoryAttributes } from './memory-attributes.js';
import type { MemoryType, Protection } from './protection.js';
import type { VirtualRange } from './virtual-range.js';

/**
 * The contract that a page-table format implements: the architecture manual as data, and small pure
 * functions for the rest.
 *
 * The engine reads the data once, when a `PageTable` is made. It calls the functions when it meets something
 * new (a call, a level, other flags than before), never for each entry of a uniform range. A format object
 * is immutable and holds no state. Entries are 64-bit, little-endian.
 *
 * A `level` is an index into `levels`: 0 is the root. A *path* lists the entries that a walk went through,
 * root first, the leaf last.
 *
 * @typeParam C - the controls (processor modes) that the format knows.
 */
export interface PageTableFormat<C extends Controls = Controls> {
  /** Name for people and for `--format`: `x86-64`, `arm64-16k-47`. */
  readonly name: string;
  /**
   * log2 of the base page in bytes: 12, 14 or 16. A table fills one base page. Only the root may take less
   * or more.
   *
   * Source: SDM vol. 3A, Paging (4 KiB); Arm ARM D8.2, translation granules; RISC-V privileged
   * specification, PAGESIZE.
   */
  readonly pageShift: number;
  /**
   * Width of a physical address in bits, up to 56. Frames at or above `2 ** (paBits - pageShift)` are
   * refused.
   *
   * Source: CPUID MAXPHYADDR (SDM vol. 3A, Paging); TCR_EL1.IPS and ID_AA64MMFR0_EL1.PARange; RISC-V: 56.
   */
  readonly paBits: number;
  /** Which virtual addresses a root translates. */
  readonly range: VirtualRange;
  /**
   * The match of entries that the MMU does not ignore. Other entries are `absent` when they are not 0. It is
   * bit 0 in every known format: x86-64 P, arm64 valid, riscv64 V.
   */
  readonly present: Match;
  /**
   * Root first; one to five. Each level's shift is the sum of the bits below it and `pageShift`. All levels
   * below one with leaves have leaves too.
   *
   * Source: SDM vol. 3A, Paging, 4-level and 5-level; Arm ARM D8.2.6 to D8.2.8, levels −1 to 3 per granule,
   * and D8.3, which levels hold blocks; RISC-V Sv39 to Sv57, leaves at every level.
   */
  readonly levels: readonly Level[];
  /**
   * Where the physical address is in an entry, at every level. A leaf above the last level uses only the
   * bits at or above its size. Entry bits 31..0 of the pfn must be one field; higher ones may be elsewhere.
   *
   * Source: SDM vol. 3A, figure of the paging-structure entries (51:12); Arm ARM D8.3 (47:n; 49:n with 9:8
   * when DS = 1; 15:12 with the 64K granule and 52 bits); RISC-V PTE, PPN at 53:10.
   */
  readonly address: readonly AddressField[];
  /**
   * The bits besides the address of an entry that points to a table, at every level. With them the entry
   * must be a table, and it forbids nothing: each leaf below allows what it allows as a larger leaf. What a
   * kernel forbids with its table entries is the policy's (`LinuxPolicy.tableEntry`).
   *
   * Source: SDM vol. 3A, Paging, "Determination of Access Rights": R/W and U/S set, XD clear; Arm ARM D8.4,
   * "Hierarchical control": APTable, PXNTable and UXNTable clear; RISC-V privileged specification: V alone.
   */
  readonly tableEntry: Words;
  /** The memory types that `encode` can express. `decode` returns no others. */
  readonly memoryTypes: readonly MemoryType[];
  /**
   * The controls of walks that are given none: those of a current kernel.
   *
   * `permissions`, `check`, `checkRoot`, `touch` and `faultCode` take all of them or some. `completeControls` fills in the
   * others from here, and refuses a name or value that the format does not know.
   */
  readonly controls: C;

  /**
   * The bits of a leaf at `level` that grants `protection`, without the address.
   *
   * It never marks a run: the engine sets `run.set`, and `extra` must not contain it. The same protection always has the same bits: the
   * engine may ask once, and keep the answer.
   *
   * @param level - one that has leaves. The engine calls this, `decode`, `change` and `relevel` for no
   *   other.
   * @throws VmError `EINVAL` when the format cannot express it. The message names the member and what is
   *   possible.
   */
  encode(protection: Protection, level: number): Words;

  /**
   * The protection that a leaf at `level` carries by itself. `encode(decode(w))` is `w` without its address
   * and without the mark of a run.
   */
  decode(leaf: Words, level: number): Protection;

  /**
   * The memory type and the shareability of a leaf at `level`, as numbers. `null` where entries say neither.
   * Absent when no entry of the format does.
   */
  memoryAttributes?(leaf: Words, level: number): MemoryAttributes | null;

  /**
   * A leaf after a change of its protection: the result of `encode`, in the bits that a protection owns.
   *
   * The address, the mark of a run (`run.set`), software bits and other `extra` survive. Accessed and dirty
   * survive in the way the architecture keeps them: x86-64 drops D together with write permission (D without
   * RW is a shadow stack), arm64 keeps DBM and AP[2] consistent. The engine passes the leaf without its
   * address. It calls this once for each different leaf of a range, not for each entry.
   *
   * @throws VmError `EINVAL` as `encode`.
   */
  change(leaf: Words, protection: Protection, level: number): Words;

  /**
   * A leaf's bits moved from one level to another, for split and collapse. x86-64 moves PAT between bits 7
   * and 12 and sets PS; arm64 swaps the type bits. The engine passes the leaf without its address, and adds
   * the address afterwards. The mark of a run is removed. When both levels are the same, nothing else
   * changes.
   */
  relevel(leaf: Words, from: number, to: number): Words;

  /**
   * True when a change from one valid entry to another needs break-before-make: invalidate, flush, write.
   * The two may be of different kinds (block and table) and differ in the mark of a run. The engine never
   * changes both the size of a mapping and its other attributes in one write without a break. It remembers
   * the answer for entries that change alike and keep their addresses, so the answer must not depend on the
   * address.
   */
  needsBreak(before: Words, after: Words, level: number): boolean;

  /**
   * What the translation allows, over all levels. What tables forbid (x86-64 R/W, U/S, NX; arm64 APTable,
   * PXNTable, UXNTable), a leaf cannot allow.
   *
   * @param path - complete; its last entry is a leaf that breaks no rule.
   */
  permissions(path: readonly Words[], controls: C): Permissions;

  /**
   * The fault of an access that may not use this root at all, whatever is mapped; `null` when it may. It is
   * called before any entry is read. Absent when the architecture has no such control.
   *
   * Source: Arm ARM, D8.15, FEAT_E0PD: a Translation fault of level 0 for every unprivileged access to the
   * half.
   */
  checkRoot?(access: Access, controls: C): Fault | null;

  /**
   * The fault of an access to a mapped page; `null` when it is allowed.
   *
   * @param path - as for `permissions`. An entry that breaks a rule has already faulted.
   */
  check(path: readonly Words[], access: Access, controls: C): Fault | null;

  /**
   * The entry after the MMU has used it for an allowed access. Hardware may set the accessed bit under these
   * controls, and the dirty bit for a write to a leaf.
   *
   * @param level - of the entry; a leaf when `kind` says so.
   * @returns the same object when nothing changes.
   */
  touch(entry: Words, level: number, kind: 'table' | 'leaf', access: Access, controls: C): Words;

  /**
   * True when a TLB may serve the translation in every address space. Absent where the leaf alone decides:
   * then it is `decode(leaf).global`.
   *
   * Source: SDM vol. 3A, Paging, "Global Pages" (only with CR4.PGE); RISC-V privileged specification, G of a
   * PTE (also in entries above the leaf).
   *
   * @param path - as for `permissions`.
   */
  isGlobal?(path: readonly Words[], controls: C): boolean;

  /**
   * The architecture's number for a fault.
   *
   * @throws VmError `EINVAL` for a kind that the architecture never raises.
   */
  faultCode(fault: Fault, access: Access, controls: C): FaultCode;
}
