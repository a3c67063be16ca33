/**
 * What a call of this room returns: 0, or Linux's error as a negative number
 * (`include/uapi/asm-generic/errno-base.h`). A number, since these calls allocate nothing.
 */
export const NONE_FITS = -2;
/** The span is not all available. */
export const NOT_SET = -3;
/** A range of it is unavailable: being freed, or being mapped for a user (-EAGAIN). */
export const BUSY_SPAN = -11;
/** There was no memory for a node (-ENOMEM). */
export const NO_NODE = -12;
/** The span is no unavailable range (-EINVAL). */
export const WRONG_SPAN = -22;
