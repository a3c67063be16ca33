import type { Process } from './process.js';
import type { RegionFlags } from './options.js';
import type { RegionObject } from './region-object.js';
import type { RegionOperations } from './region-operations.js';

/**
 * A range of user addresses with one set of rights (struct vm_area_struct). A call of the process that splits,
 * merges or moves regions may change it, or end its life.
 */
export interface Region {
  /** Whose region it is. */
  readonly process: Process;
  /** False when it was unmapped, or merged into a neighbour. */
  readonly isLive: boolean;
  /** First byte (vm_start). */
  readonly start: bigint;
  /** The byte after the last one (vm_end). */
  readonly end: bigint;
  /** Offset of its first page in the object, in pages (vm_pgoff). */
  readonly pgoff: number;
  /** VM_READ. */
  readonly read: boolean;
  /** VM_WRITE. */
  readonly write: boolean;
  /** VM_EXEC. */
  readonly execute: boolean;
  /** VM_SHARED. */
  readonly shared: boolean;
  /** Its marks, complete. */
  readonly flags: Required<RegionFlags>;
  /** What it maps; `null` for private anonymous memory. */
  readonly object: RegionObject | null;
  /** What it does in its own way; `null` for memory. */
  readonly operations: RegionOperations | null;
  /** For people. */
  readonly name: string;
  /** Whatever the operations keep with it (vm_private_data). A split and a fork copy the reference. */
  data: unknown;
  /**
   * Changes marks, as the mmap of a driver does with vm_flags_set. Allowed inside `RegionOperations.mmap` only.
   *
   * @throws VmError `EINVAL` at another time.
   */
  setFlags(flags: RegionFlags): void;
}
