/** `vmTH` in byte order. */
export const MAGIC: number = 0x4854_6d76;
export const VERSION: number = 1;

/** Most threads of one group: the owner in a lock word has 16 bits, and nobody needs more. */
export const MOST_THREADS: number = 256;

/**
 * The 32-bit words at the start of the control block. What threads write often has a cache line of its own: each
 * call that changes tables reads `exclusive`, and each flush adds to `flushes`.
 */
export const Word = {
  magic: 0,
  version: 1,
  /** Number of slots. */
  slots: 2,
  /** Counts what was retired. A thread whose `seen` is above a count holds nothing that was retired at it. */
  epoch: 16,
  /** The lock of the exclusive section: the word, and the number of waiters. */
  exclusive: 32,
  /** Counts the exclusive sections. While it does not change, no table has gone. */
  sections: 34,
  /** Flushes that were posted. */
  flushes: 48,
  /** Numbers that were given to shared objects. */
  serial: 3,
  /** Two words that no other group has: a buffer that arrives twice in a thread is two objects. */
  id: 4,
  /** The first slot. */
  slotsAt: 64,
} as const;

/** Words of a slot: two cache lines, so that no thread writes into the line of another. */
export const SLOT_WORDS: number = 32;

/** The words of a slot. Only its thread writes them, except where it says otherwise. */
export const SlotWord = {
  /**
   * `State`, and above it how many threads have had the slot. One word: who looks for one thread cannot find
   * the state of another. Whoever learns of the thread's death writes it, too.
   */
  state: 0,
  /** The epoch that the thread has read at its last quiescent point. */
  seen: 2,
  /** 1 inside a call that changes tables; 0 outside. */
  inside: 3,
  /** The area that a call of the thread changes pages of; 0 for none. */
  pin: 4,
  /** Flushes that the thread has delivered. */
  flushed: 5,
} as const;

/** What a slot is. */
export const State = {
  free: 0,
  /** A description names it, and no thread has attached yet. */
  invited: 1,
  live: 2,
  /** Its thread died. Its unfinished work waits for a recovery. */
  dead: 3,
  /** A thread is attaching: it alone writes the words of the slot. */
  attaching: 4,
} as const;

/** Bits of a `State` in its word. */
export const STATE_BITS: number = 3;

/** Flushes that the ring holds. A thread that is further behind forgets everything. */
export const RING: number = 1024;
/**
 * Words of a flush in the ring: which ticket's, and whether it is written; then first page, pages, leaf and asid,
 * root. A cache line, of which half is used: two threads write neighbours at the same time.
 */
export const FLUSH_WORDS: number = 16;

/** Words of the journal of one thread. */
export const JOURNAL_WORDS: number = 16384;

/** The first word of a slot. */
export function slotAt(slot: number): number {
  return Word.slotsAt + slot * SLOT_WORDS;
}

/** The first word of the ring. */
export function ringAt(slots: number): number {
  return slotAt(slots);
}

/** Bytes of the control block. */
export function controlBytes(slots: number): number {
  return 4 * (ringAt(slots) + RING * FLUSH_WORDS);
}
