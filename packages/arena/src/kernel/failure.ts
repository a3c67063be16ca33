/**
 * Where Linux may fail at any moment, since it allocates with interrupts off and never waits:
 *
 * - `array`: the array of the pages of a batch (kmalloc_nolock).
 * - `page`: the pages of a batch (bpf_map_alloc_pages), the page of a user fault, the scratch page.
 * - `node`: the record of a range of slots (range_tree.c).
 * - `span`: the record of a free that is left to the worker.
 * - `lock`: the arena's lock, which gives up after a time (rqspinlock).
 * - `arena`: the arena itself.
 * - `region`: the record of a region of a process.
 */
export type AllocationKind = 'array' | 'page' | 'node' | 'span' | 'lock' | 'arena' | 'region';

/** Why a call came to nothing. Linux says only NULL. */
export interface ArenaFailure {
  /**
   * - `EAGAIN`: something was in the way for a moment, or an allocation failed that may succeed the next time: try again.
   * - `ENOMEM`: no free range of slots is long enough, or the machine has too few frames.
   * - `EBUSY`: a slot that the hint names is taken.
   * - `EINVAL`: the request can never be served.
   */
  readonly code: 'EAGAIN' | 'ENOMEM' | 'EBUSY' | 'EINVAL';
  /** The reason, for people. */
  readonly reason: string;
}

function failure(code: ArenaFailure['code'], reason: string): ArenaFailure {
  return /* @__PURE__ */ Object.freeze({ code, reason });
}

/** Their names. */
type FailureName =
  | 'flags'
  | 'noPages'
  | 'node'
  | 'tooMany'
  | 'unaligned'
  | 'outside'
  | 'wrongHalf'
  | 'array'
  | 'lock'
  | 'taken'
  | 'unavailable'
  | 'noSlots'
  | 'range'
  | 'page'
  | 'frames'
  | 'mapped'
  | 'tables'
  | 'span';

/** All of them. A failing call allocates nothing. */
export const Failure: Readonly<Record<FailureName, ArenaFailure>> = {
  flags: failure('EINVAL', 'flags must be 0'),
  noPages: failure('EINVAL', 'a request is for 1 page or more'),
  node: failure('EINVAL', 'there is no such memory node'),
  tooMany: failure('EINVAL', 'the arena has fewer pages'),
  unaligned: failure('EINVAL', 'the hint is not on a page'),
  outside: failure('EINVAL', 'the hint and the pages after it are not all in the arena'),
  wrongHalf: failure('EINVAL', 'the upper half of the hint is neither 0 nor that of the arena'),
  array: failure('EAGAIN', 'no memory for the list of pages'),
  lock: failure('EAGAIN', 'the lock of the arena was not obtained'),
  taken: failure('EBUSY', 'a slot that the hint names is allocated or reserved'),
  unavailable: failure('EAGAIN', 'a slot is being freed, or is being mapped for a user'),
  noSlots: failure('ENOMEM', 'no free range of slots is long enough'),
  range: failure('EAGAIN', 'no memory for the record of a range of slots'),
  page: failure('EAGAIN', 'the page allocator failed for a moment'),
  frames: failure('ENOMEM', 'the machine has too few free frames'),
  mapped: failure('EBUSY', 'somebody else mapped a page of the window'),
  tables: failure('ENOMEM', 'there is no frame for a table'),
  span: failure('EAGAIN', 'no memory for the record of a deferred free'),
};
