/*
 * The numbers of the ISA. Source: RFC 9669, whose names these are; what it does not have: Linux's include/uapi/linux/bpf.h.
 */

// Classes: the low three bits of an opcode (section 3.1).
export const LD = 0;
export const LDX = 1;
export const ST = 2;
export const STX = 3;
export const ALU = 4;
export const JMP = 5;
export const JMP32 = 6;
export const ALU64 = 7;

/** The bit of an opcode of arithmetic or a jump that says that the operand is a register. */
export const X = 8;

// Operations of arithmetic: the high four bits (section 4.1). Those between MOD and MOV, and below DIV, need no name here.
export const DIV = 3;
export const NEG = 8;
export const MOD = 9;
export const MOV = 11;
/** Changes of the byte order (section 4.2): the last operation. */
export const END = 13;

// Operations of jumps: the high four bits (section 4.3).
export const JA = 0;
export const JGT = 2;
export const JGE = 3;
export const JSGT = 6;
export const JSGE = 7;
export const CALL = 8;
export const EXIT = 9;
export const JLT = 10;
export const JLE = 11;
export const JSLT = 12;
/** The last comparison. */
export const JSLE = 13;
/** `may_goto` (BPF_JCOND of v6.10). */
export const JCOND = 14;

// Offsets that say which operation it is (section 4.1).
/** Of DIV and MOD: both numbers are signed. */
export const SIGNED = 1;
/** Of MOV: a cast between address spaces (BPF_ADDR_SPACE_CAST of v6.9). Other offsets of MOV are bits that are sign-extended. */
export const ADDR_SPACE_CAST = 1;
/** The immediate of a cast to the kernel: from address space 1 to 0. */
export const CAST_TO_KERNEL = 1;
/** The immediate of a cast to user space: from address space 0 to 1. */
export const CAST_TO_USER = 0x10000;

// Modes of loads and stores: the high three bits (section 5).
export const MEM = 0x60;
export const MEMSX = 0x80;
export const ATOMIC = 0xc0;

// Atomic operations: immediates (section 5.3). All but CMPXCHG and XCHG may have FETCH added.
export const ATOMIC_ADD = 0x00;
export const FETCH = 0x01;
export const ATOMIC_OR = 0x40;
export const ATOMIC_AND = 0x50;
export const ATOMIC_XOR = 0xa0;
export const XCHG = 0xe1;
export const CMPXCHG = 0xf1;
/** BPF_LOAD_ACQ and BPF_STORE_REL of v6.15. */
export const LOAD_ACQUIRE = 0x100;
export const STORE_RELEASE = 0x110;

// Whole opcodes.
/** A load of 64 bits in two instructions (section 5.4). */
export const LDIMM64 = 0x18;
export const CALL_OPCODE = 0x85;
export const EXIT_OPCODE = 0x95;

// What the source register of a call says (section 4.3.1): 0 is a helper by number.
/** A function of the program: BPF_PSEUDO_CALL. */
export const PSEUDO_CALL = 1;
/** A function of the kernel: BPF_PSEUDO_KFUNC_CALL. */
export const PSEUDO_KFUNC_CALL = 2;

/** The highest register: the frame pointer, which is read-only. */
export const FRAME_POINTER = 10;

/** Sizes of an access by the two bits of the opcode: word, half, byte, double word (section 5). */
const SIZES = [4, 2, 1, 8] as const;

/** The class of an opcode. */
export function classOf(opcode: number): number {
  return opcode & 7;
}

/** The operation of an opcode of arithmetic or a jump. */
export function operationOf(opcode: number): number {
  return opcode >> 4;
}

/** The mode of a load or store. */
export function modeOf(opcode: number): number {
  return opcode & 0xe0;
}

/** How many bytes a load or store has. */
export function sizeOf(opcode: number): number {
  return SIZES[(opcode >> 3) & 3] as number;
}
