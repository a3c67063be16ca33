/** Words of the list of processes of a kernel, before its entries. */
export const ListWord = {
  /** Two words of the lock. */
  lock: 0,
  families: 2,
  inodes: 3,
  /** The zero frame, counted from the first of the allocator, and 1; 0 for none. */
  zero: 4,
  count: 5,
  /** The asid after the largest that was ever used. */
  bound: 6,
  /** Grows when a process goes. */
  gone: 7,
} as const;

/** Words before the first entry. */
export const LIST_HEADER = 16;

/** Words of the entry of an asid. */
export const Entry = {
  /** The number of its process; 0 for none. Written last, and cleared first. */
  number: 0,
  /** The frame of the root, counted from the first of the allocator of tables, and 1. */
  root: 1,
  /** The owner of its tables, in the records. */
  owner: 2,
  /** Index of its format among those of the policy; with `HAS_KERNEL_HALF`. */
  format: 3,
  state: 4,
  /** `ThreadCalls.id` of the thread that made it. */
  creator: 5,
  /** Two words of the process's lock. */
  lock: 6,
} as const;

export const ENTRY_WORDS = 8;

/** Bit of `Entry.format`. */
export const HAS_KERNEL_HALF = 256;

/** What the entry of an asid holds. */
export const EntryState = {
  none: 0,
  /** A process that its thread makes: nobody else may touch it. */
  making: 1,
  /** A process that one thread has. It goes with the thread. */
  own: 2,
  /** A process that was described for other threads. */
  shared: 3,
} as const;

/** Words of the buffer of a process, before its regions. */
export const RegionWord = {
  /** 1 once the process is destroyed. */
  destroyed: 0,
  /** Version of the list, and in bit 0 the half that holds it. */
  published: 1,
  /** Number of regions of each half. */
  counts: 2,
  /** The last number of a region. */
  last: 4,
  /** Words of names that are in use. */
  names: 5,
} as const;

export const REGION_HEADER = 16;

/** Words of a region. Pages and offsets have two words each: the lower one first. */
export const Field = {
  id: 0,
  bits: 1,
  first: 2,
  end: 4,
  pgoff: 6,
  anon: 8,
  isForked: 9,
  kind: 10,
  /** Where its name begins among the names, and 1; 0 for none. */
  name: 11,
} as const;

export const REGION_WORDS = 12;
/** Words for names: each is its length and its characters. */
export const NAME_WORDS: number = 16384;
/** Regions beyond the most that a process may have: a call checks before it adds one. */
export const SPARE_REGIONS: number = 8;
