/** Of arithmetic of 64 bits, a step is the operation of the ISA. These two have the free numbers above. */
export const SIGNED_DIVISION = 14;
export const SIGNED_REMAINDER = 15;
/** Added for arithmetic of 32 bits. */
export const ARITHMETIC_32 = 0x10;
/** Added to the operation of the ISA for a comparison of 64 bits, and of 32 bits. Those for `>` and `>=` are `<` and `<=`, mirrored. */
export const COMPARISONS = 0x20;
export const COMPARISONS_32 = 0x30;

/**
 * Numbers of the other steps.
 *
 * The interpreter has the same numbers as literals: V8 makes a table of jumps of those alone.
 */
export const STEP = {
  neg64: 0x08,
  move64: 0x0b,
  neg32: 0x18,
  jump: 0x20,
  call: 0x28,
  exit: 0x29,
  mayGoto: 0x2e,
  callKernel: 0x38,
  atomic: 0x60,
  sign8: 0x70,
  sign16: 0x71,
  sign32: 0x72,
  sign8to32: 0x73,
  sign16to32: 0x74,
  cut16: 0x75,
  cut32: 0x76,
  swap16: 0x77,
  swap32: 0x78,
  swap64: 0x79,
  toUser: 0x7a,
  /** Not an instruction: a run ends here. */
  problem: 0x7c,
  /** Some registers may be unwritten. */
  check: 0x7d,
  /** Some registers count as unwritten from here on. */
  poison: 0x7e,
} as const;

/** Loads of 8, 16, 32 and 64 bits, then the sign-extending ones. */
export const LOADS = 0x40;
/** Stores of 8, 16, 32 and 64 bits. */
export const STORES = 0x50;
/** Added for an access by the frame pointer itself, which was checked. */
export const BY_FRAME = 8;
/** By bytes of an access. */
export const SIZE_INDEX: Readonly<Record<number, number>> = { 1: 0, 2: 1, 4: 2, 8: 3 };

/** Bytes of a stack frame (MAX_BPF_STACK). */
export const FRAME_BYTES = 512;

/** Words of a step. */
export const STEP_WORDS = 4;

/** Registers of the ISA. Constants follow them. */
export const REGISTERS = 11;

/** What an unwritten register holds where a run looks for it: an address that nothing has, with the number of the register. */
export const POISON_HI = 0x6b6b6b6b;
export const POISON_LO = 0x5a5a5a00;
