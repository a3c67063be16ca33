import { ALU, ALU64, type Instructions, JMP, JMP32, LD, LDIMM64, LDX, ST, STX, X } from './instructions.js';

/** Sizes of an access by the two bits of the opcode: word, half, byte, double word. */
const SIZES = [4, 2, 1, 8] as const;

/** How many bytes a load or store has. */
export function sizeOf(opcode: number): number {
  return SIZES[(opcode >> 3) & 3] as number;
}

// Modes of loads and stores (RFC 9669, section 5).
const MEM = 0x60;
export const MEMSX = 0x80;
export const ATOMIC = 0xc0;

/** Operations of atomics: RFC 9669, section 5.3; the last two: include/uapi/linux/bpf.h of v6.15. */
const ATOMICS: ReadonlySet<number> = /* @__PURE__ */ new Set([
  ...[0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1],
]);
export const LOAD_ACQUIRE = 0x100;
export const STORE_RELEASE = 0x110;

/** The highest register: the frame pointer, which is read-only. */
export const FRAME_POINTER = 10;

/**
 * What is wrong with an instruction by itself: a code that is none, a reserved field that is not 0, a register that is none, a write to
 * the frame pointer.
 *
 * @returns `null` for an instruction of the ISA.
 */
export function problemOf(code: Instructions, i: number): string | null {
  const opcode = code.opcode(i);
  const kind = opcode & 7;
  if (code.dst(i) > FRAME_POINTER) return `there is no register r${code.dst(i)}`;
  if (kind === ALU || kind === ALU64) return problemOfArithmetic(code, i, opcode);
  if (kind === JMP || kind === JMP32) return problemOfJump(code, i, opcode);
  return kind === LD ? problemOfWide(code, i, opcode) : problemOfAccess(code, i, opcode);
}

const UNKNOWN = 'there is no such opcode';

function problemOfArithmetic(code: Instructions, i: number, opcode: number): string | null {
  const [operation, isWide, isRegister] = [opcode >> 4, (opcode & 7) === ALU64, (opcode & X) !== 0];
  const [offset, imm, src] = [code.offset(i), code.imm(i), code.src(i)];
  if (operation > 13) return UNKNOWN;
  if (code.dst(i) === FRAME_POINTER) return 'the frame pointer is read-only';
  if (operation === 13) {
    if (isWide && isRegister) return UNKNOWN;
    if (src !== 0 || offset !== 0) return 'reserved fields are not 0';
    return imm === 16 || imm === 32 || imm === 64 ? null : `the width is ${imm}, expected 16, 32 or 64`;
  }
  if (operation === 8) {
    if (isRegister) return UNKNOWN;
    return src !== 0 || offset !== 0 || imm !== 0 ? 'reserved fields are not 0' : null;
  }
  if (isRegister && src > FRAME_POINTER) return `there is no register r${src}`;
  if (!isRegister && src !== 0) return 'the source register is not 0';
  if (operation === 11 && isRegister && isWide && offset === 1) {
    return imm === 1 || imm === 0x10000 ? null : `there is no cast ${imm}, expected 1 or 0x10000`;
  }
  if (isRegister && imm !== 0) return 'the immediate is not 0';
  if (offset === 0) return null;
  if ((operation === 3 || operation === 9) && offset === 1) return null;
  const isSigned = offset === 8 || offset === 16 || (offset === 32 && isWide);
  return operation === 11 && isRegister && isSigned
    ? null
    : `the offset is ${offset}, which means nothing here`;
}

function problemOfJump(code: Instructions, i: number, opcode: number): string | null {
  const [operation, isWide, isRegister] = [opcode >> 4, (opcode & 7) === JMP, (opcode & X) !== 0];
  const [dst, src, offset, imm] = [code.dst(i), code.src(i), code.offset(i), code.imm(i)];
  if (operation === 0) {
    if (isRegister) return UNKNOWN;
    if (dst !== 0 || src !== 0 || (isWide ? imm : offset) !== 0) return 'reserved fields are not 0';
    return null;
  }
  if (operation === 8) {
    if (!isWide) return UNKNOWN;
    if (isRegister) return 'calls by register are refused';
    if (dst !== 0 || src > 2 || offset !== 0) return 'reserved fields are not 0';
    return null;
  }
  if (operation === 9) {
    if (!isWide || isRegister) return UNKNOWN;
    return dst !== 0 || src !== 0 || offset !== 0 || imm !== 0 ? 'reserved fields are not 0' : null;
  }
  if (operation === 14) {
    if (!isWide || isRegister) return UNKNOWN;
    return dst !== 0 || src !== 0 || imm !== 0 ? 'reserved fields are not 0' : null;
  }
  if (operation > 13) return UNKNOWN;
  if (isRegister && src > FRAME_POINTER) return `there is no register r${src}`;
  if (isRegister && imm !== 0) return 'the immediate is not 0';
  return !isRegister && src !== 0 ? 'the source register is not 0' : null;
}

function problemOfWide(code: Instructions, i: number, opcode: number): string | null {
  if (opcode !== LDIMM64) return 'loads of packets are refused, or there is no such opcode';
  if (code.dst(i) === FRAME_POINTER) return 'the frame pointer is read-only';
  if (i + 1 >= code.count) return 'the second half is missing';
  if (code.src(i) !== 0) return 'it refers to something that no relocation names';
  const isRest = code.opcode(i + 1) === 0 && code.dst(i + 1) === 0 && code.src(i + 1) === 0;
  return code.offset(i) !== 0 || !isRest || code.offset(i + 1) !== 0 ? 'reserved fields are not 0' : null;
}

function problemOfAccess(code: Instructions, i: number, opcode: number): string | null {
  const [kind, mode, size] = [opcode & 7, opcode & 0xe0, sizeOf(opcode)];
  const [src, imm] = [code.src(i), code.imm(i)];
  if (src > FRAME_POINTER) return `there is no register r${src}`;
  if (kind === LDX) {
    if (mode !== MEM && !(mode === MEMSX && size < 8)) return UNKNOWN;
    if (code.dst(i) === FRAME_POINTER) return 'the frame pointer is read-only';
    return imm === 0 ? null : 'the immediate is not 0';
  }
  if (mode === MEM) {
    if (kind === ST) return src === 0 ? null : 'the source register is not 0';
    return imm === 0 ? null : 'the immediate is not 0';
  }
  if (kind !== STX || mode !== ATOMIC) return UNKNOWN;
  if (imm === LOAD_ACQUIRE) return code.dst(i) === FRAME_POINTER ? 'the frame pointer is read-only' : null;
  if (imm === STORE_RELEASE) return null;
  if (!ATOMICS.has(imm)) return `there is no atomic operation ${imm}`;
  if ((imm & 1) !== 0 && imm !== 0xf1 && src === FRAME_POINTER) return 'the frame pointer is read-only';
  return size >= 4 ? null : `an atomic operation of ${size} bytes is refused`;
}
