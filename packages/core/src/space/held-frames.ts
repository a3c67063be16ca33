/** Frames that processes map. An area that frees them leaves those to the last process. */
export interface HeldFrames {
  /** False while no frame has had a user. */
  readonly isUsed: boolean;
  /**
   * True when a process maps a frame of a block. The block has no owner from then on: the last process that lets go frees it.
   *
   * @param head - first frame.
   * @param order - log2 of the frames.
   */
  holdsBack(head: number, order: number): boolean;
}

/** By the state of an allocator. Without processes there is none. */
export const heldFrames: WeakMap<ArrayBufferLike, HeldFrames> = new WeakMap();
