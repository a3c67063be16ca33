import { FRAMES_BYTES, SCRATCH_BYTES } from './scratch-layout.js';

/**
 * Byte offset of the page for frames of a thread in a shared memory, behind the bank.
 *
 * @param bytes - of the bank, which begins at `SCRATCH_BYTES`.
 * @param thread - its slot: 1 and up. Slot 0 made the memory, and has the pages before the bank.
 */
export function scratchOf(bytes: number, thread: number): number {
  return Math.ceil((SCRATCH_BYTES + bytes) / FRAMES_BYTES) * FRAMES_BYTES + (thread - 1) * FRAMES_BYTES;
}
