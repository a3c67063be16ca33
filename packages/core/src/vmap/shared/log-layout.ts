/** `vmAL` in byte order. */
export const LOG_MAGIC: number = 0x4c41_6d76;
export const LOG_VERSION: number = 1;

/** The 32-bit words at the start of an area log. The lock's two words come first to have a line of their own. */
export const LogWord = {
  /** The lock: its owner, and the number of waiters. */
  lock: 0,
  /** The area that a call under the lock is about to free; 0 for none, -1 for several. */
  closing: 16,
  /** What is published: number of records so far, and the half in use in the lowest bit. */
  tail: 32,
  /** How often each half was begun. It grows before a half is overwritten. */
  begun: 33,
  /** 1 once the space was destroyed. */
  destroyed: 35,
  magic: 48,
  version: 49,
  /** Bytes of a half. */
  halfBytes: 50,
  /** Records that were appended, bytes of them, and checkpoints. Only the lock's owner writes them. */
  records: 51,
  bytes: 52,
  checkpoints: 53,
  /** The first half. */
  halvesAt: 64,
} as const;

/** Words before the bytes of a record or checkpoint: its length in bytes, its number, and a sum of its bytes. */
export const ENTRY_WORDS = 3;

/** Bytes of both halves together unless an option says otherwise. */
export const DEFAULT_LOG_BYTES: number = 16 << 20;
/** The smallest log, and the least bytes that a call must find in a half. */
export const LEAST_LOG_BYTES: number = 32 << 10;
export const LEAST_ROOM = 3072;
/** A half with less room is left, when the other half has more. */
export const LOW_ROOM: number = 64 << 10;
/** Records count to 2^30, then from 0 on: a tail is never negative. */
export const NUMBER_MASK = 0x3fff_ffff;

/** The tail for a number of records and a half. */
export function tailOf(number: number, half: number): number {
  return (number << 1) | half;
}

/** The number of records in a tail. */
export function numberOf(tail: number): number {
  return tail >>> 1;
}
