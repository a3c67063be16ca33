/**
 * Where programs see what is not in the arena.
 *
 * An arena access is known by its address: a number below 2^32 with an offset of 16 bits (the kernel's window begins there). So
 * everything else has an upper word that no pointer of user space, no number below 2^33 and no small negative one has. One upper word
 * is one region, and its bytes begin far from the ends of the lower word: an offset cannot lead into a neighbour.
 */
export const FIRST_REGION = -16384;
/** The lower word of a region's first byte. */
export const REGION_START = 0x1000_0000;

/** Indexes of regions. Those of data sections follow. */
export const STACK_REGION = 0;
export const CONTEXT_REGION = 1;
export const CODE_REGION = 2;
export const MAP_REGION = 3;
export const EXTERN_REGION = 4;
export const DATA_REGION = 5;

/** Frames of the stack (MAX_CALL_FRAMES), and how far they are apart: no offset leads to the next. */
export const FRAMES = 8;
export const FRAME_SHIFT = 17;

/** Bytes between the handles of functions, maps and externs. */
export const HANDLE_BYTES = 16;

/** The upper word of a region's addresses, signed. */
export function regionWord(region: number): number {
  return FIRST_REGION + region;
}
