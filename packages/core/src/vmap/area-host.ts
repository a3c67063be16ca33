import type { LinuxPolicy } from '../format/linux-policy.js';
import type { PageTableFormat } from '../format/page-table-format.js';
import type { MapOptions } from '../table/options.js';
import type { PageTable } from '../table/page-table.js';

/** What the handle of an area needs of its space. */
export interface AreaHost {
  readonly format: PageTableFormat;
  readonly linux: LinuxPolicy;
  readonly table: PageTable;
  readonly pageShift: number;
  readonly pageBytes: number;
  /** Frames at or above it fit no entry. */
  readonly pfnLimit: number;
  /** True while a call changes something: sinks and callbacks must not start another. */
  isBusy: boolean;
  readonly isDestroyed: boolean;
  /** Runs a call that changes something. */
  change<R>(call: () => R): R;
  /** @throws VmError `EBUSY` from within a sink or callback, `EINVAL` when the space was destroyed. */
  requireIdle(): void;
  /** Sizes that a call of Linux may use, as the engine's caps. */
  capsOf(shifts: readonly number[], most: number): MapOptions;
}
