/** Frames that processes map. An area that frees them leaves those to the last process. */
export interface HeldFrames {
  /**
   * True when a process maps a frame of a block. The last process that lets go frees the block then.
   *
   * @param head - first frame.
   * @param order - log2 of the frames.
   */
  holdsBack(head: number, order: number): boolean;
}

/** By the state of an allocator. Without processes there is none. */
export const heldFrames: WeakMap<ArrayBufferLike, HeldFrames> = new WeakMap();
