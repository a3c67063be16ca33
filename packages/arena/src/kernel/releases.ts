/**
 * Which kernel an arena follows. `kernel/bpf/arena.c` and `range_tree.c` differ:
 *
 * - `6.12` (6.9 to 6.12): a request without a hint takes the lowest place. Frees and faults hold one mutex to their end.
 * - `6.14` (6.13 to 7.0): best fit.
 * - `7.1`: any context may allocate and free; a free that may not sleep is left to a worker; `reservePages`; the tables of the window
 *   are made in advance. A freed slot is available before the flush of its old translation: the bug of scx #3826.
 * - `7.2`: a scratch page for faults of kernel code; a process forked from another has no arena.
 * - `7.3`: memory usage is counted, a region is never split or moved, and a pointer below the arena is ignored.
 * - `three-state`: two series of autumn 2026. One mends scx #3826: a slot that is being freed is unavailable until the flush is done. The
 *   other makes a user's fault without a page an out-of-memory, where it was a SIGSEGV.
 */
export type ArenaRelease = '6.12' | '6.14' | '7.1' | '7.2' | '7.3' | 'three-state';

/** What differs between releases. */
export interface ReleaseRules {
  /** Which free range a request without a hint gets. */
  readonly slots: 'lowest first' | 'best fit';
  /**
   * How pages are freed. `mutex`: one by one, under a mutex. `early`: the slots are available first, then the translations
   * are flushed. `late`: the slots are unavailable until all is done.
   */
  readonly free: 'mutex' | 'early' | 'late';
  /** The part of the window whose tables are made in advance: none, its 4 GiB, or the upper guard, too. */
  readonly prepares: 'nothing' | '4 GiB' | 'guard';
  /** Requests are served in batches, a free may be deferred, slots may be reserved. */
  readonly isAnyContext: boolean;
  /** Faults of kernel code get the scratch page. */
  readonly hasScratch: boolean;
  /** Accesses to pages that are not there are reported. */
  readonly reports: boolean;
  /** A direct value may point to the end of the arena. */
  readonly directValueAtEnd: boolean;
  /** Fork leaves an arena out. */
  readonly isLeftOutByFork: boolean;
  /** A region of an arena cannot be split or moved. */
  readonly isWhole: boolean;
  /** `memUsage` counts pages. */
  readonly countsPages: boolean;
  /** A user fault that finds the lock taken is made again; else it is a SIGBUS. */
  readonly faultRetries: boolean;
  /** A user fault for which there is no page is out of memory; else it is a SIGSEGV. */
  readonly faultIsOom: boolean;
}

const V6_12: ReleaseRules = {
  slots: 'lowest first',
  free: 'mutex',
  prepares: 'nothing',
  isAnyContext: false,
  hasScratch: false,
  reports: false,
  directValueAtEnd: true,
  isLeftOutByFork: false,
  isWhole: false,
  countsPages: false,
  faultRetries: true,
  faultIsOom: false,
};
const V6_14: ReleaseRules = { ...V6_12, slots: 'best fit' };
const V7_1: ReleaseRules = {
  ...V6_14,
  ...{ free: 'early', prepares: '4 GiB', isAnyContext: true, reports: true },
};
const V7_2: ReleaseRules = {
  ...V7_1,
  ...{ prepares: 'guard', hasScratch: true, directValueAtEnd: false, isLeftOutByFork: true },
};
const V7_3: ReleaseRules = { ...V7_2, isWhole: true, countsPages: true, faultRetries: false };

/** The rules of each release. */
export const RELEASES: Readonly<Record<ArenaRelease, ReleaseRules>> = {
  '6.12': V6_12,
  '6.14': V6_14,
  '7.1': V7_1,
  '7.2': V7_2,
  '7.3': V7_3,
  'three-state': { ...V7_3, free: 'late', faultRetries: true, faultIsOom: true },
};
