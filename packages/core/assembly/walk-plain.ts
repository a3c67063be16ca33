import * as layout from '../src/loops/walk-layout';
import { PLAN } from '../src/loops/wasm/scratch-layout';

// The fields for the loop over plain leaves, at fixed addresses in the scratch pages. The loop keeps few of them in registers and
// reads the others as operands from the L1 cache, where V8 would spill and reload them. A walk takes 5 ns instead of 7.

/** The last level but one: shift and mask of its slots, in bytes of a table; mask and value of a table entry. */
export const UPPER_SHIFT: usize = PLAN + (layout.UPPER_SHIFT << 2);
export const UPPER_SLOTS: usize = PLAN + (layout.UPPER_SLOTS << 2);
export const UPPER_MASK: usize = PLAN + (layout.UPPER_MASK << 2);
export const UPPER_VALUE: usize = PLAN + (layout.UPPER_VALUE << 2);
/** The last level: the same; mask and value of a plain leaf. */
export const LAST_SHIFT: usize = PLAN + (layout.LAST_SHIFT << 2);
export const LAST_SLOTS: usize = PLAN + (layout.LAST_SLOTS << 2);
export const PLAIN_MASK: usize = PLAN + (layout.PLAIN_MASK << 2);
export const PLAIN_VALUE: usize = PLAN + (layout.PLAIN_VALUE << 2);
/** The frame in a plain leaf. */
export const FRAME_MASK: usize = PLAN + (layout.FRAME_MASK << 2);
export const FRAME_SHIFT: usize = PLAN + (layout.FRAME_SHIFT << 2);
/** The bits of an address above those that the last two levels translate. */
export const KEY_SHIFT: usize = PLAN + (layout.KEY_SHIFT << 2);
export const KEY_MASK: usize = PLAN + (layout.KEY_MASK << 2);
