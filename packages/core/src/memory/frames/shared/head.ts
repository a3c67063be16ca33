import { slotOf } from '../../../threads/registry.js';
import { ORDER_MASK } from '../frame-layout.js';

// The word of a frame in a state that several threads use. One compare-exchange of it claims a block, notes who
// took it, and frees it. So there is no moment at which a dead thread leaves a frame that is nobody's.
//
// Bits 4..0: 0 for no block, 1 + order for an allocated one, `CACHED` for a free frame that a thread has at hand.

/** A free frame that a thread has at hand. */
export const CACHED: number = ORDER_MASK;
/** A thread has begun to free the block, and has not ended. The thread of the word is the one that frees. */
export const NAMED: number = 0x20;
/** The block was taken inside a call of the library. */
export const IN_CALL: number = 0x40;

/** Bits of the incarnation of a slot, as in a token. */
const INCARNATION = 0x7fff_0000;
const SLOT_SHIFT = 8;

/** The bits of a word that say who took a block. */
export function tagOf(token: number, isInCall: boolean): number {
  return (token & INCARNATION) | (slotOf(token) << SLOT_SHIFT) | (isInCall ? IN_CALL : 0);
}

/** The token of the thread that took an allocated block, or that is about to free it. */
export function takerOf(head: number): number {
  return (head & INCARNATION) | (((head >>> SLOT_SHIFT) & 0xff) + 1);
}

/** True for a word of an allocated block that nobody is freeing. */
export function isTaken(head: number): boolean {
  const mark = head & (ORDER_MASK | NAMED);
  return mark !== 0 && mark < CACHED;
}
